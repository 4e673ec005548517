// The JavaScript verifier as a judge for the tests: one JSON input per line in, one canonical result (or error) per line out.
import { createInterface } from 'node:readline'
import { InputError, canonical, computeWithDigests, parseStrict, toCents } from '../../../fundmatch/static/fundmatch/verify.mjs'

function shares ({ shares: given, total }) {
  const cents = toCents(given.map(([id, up]) => [id, BigInt(up)]), BigInt(total.down), BigInt(total.cents))
  return { shares: cents }
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const value = parseStrict(line)
    console.log(canonical('shares' in value ? shares(value) : await computeWithDigests(value)))
  } catch (error) {
    if (!(error instanceof InputError)) console.error(error)
    console.log(JSON.stringify(error instanceof InputError ? { refused: error.message } : { crashed: String(error) }))
  }
}
