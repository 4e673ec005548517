// fundmatch/1 redone from its text (docs/calculation.md), independently of the Python engine: no dependency, exact integers.
// Runs unchanged in a browser (verify-page.js) and in Node >= 20:
//   node verify.mjs dossier.zip               exit 0 "identical", 1 "differs" and where, 2 bad input
//   node verify.mjs input.json [result.json]  without a result, prints the computed one
// Money is BigInt cents; a rational is a pair of BigInts; an object keyed by ids is a Map (no id is special, not even __proto__).

export const SPEC = 'fundmatch/1'
export const LIMITS = { zipBytes: 256e6, entries: 4096, entryBytes: 512e6, cents: 10n ** 15n, idLength: 256 }
export class InputError extends Error {}

const SCALE = 10n ** 24n // a root has 24 decimals
const MICRO = 10n ** 6n // raw amounts of the rules with roots are in millionths of a cent
const refuse = message => { throw new InputError(message) }
const sum = values => values.reduce((total, value) => total + value, 0n)
const gcd = (a, b) => { while (b) [a, b] = [b, a % b]; return a }

// ---- order and canonical form -------------------------------------------------------------------------------------

/** Code point order. UTF-16 units agree except that surrogates (D800-DFFF) must come after E000-FFFF. */
export function byCodePoint (a, b) {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i), y = b.charCodeAt(i)
    if (x !== y) return (x >= 0xd800 && x < 0xe000 ? x + 0x10000 : x) - (y >= 0xd800 && y < 0xe000 ? y + 0x10000 : y)
  }
  return a.length - b.length
}

/** Sorted keys, no spaces, non-ASCII as is, integers only (section 5). */
export function canonical (value) {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return JSON.stringify(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value).toString() : refuse(`${value} is not an integer`)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  return `{${entries.sort((a, b) => byCodePoint(a[0], b[0])).map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(',')}}`
}

const hex = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

/** SHA-256 of a text in UTF-8, or of bytes, in hexadecimal. */
export async function sha256 (content) {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

/** JSON text with integers only. JSON.parse cannot tell 2.0 and 1e3 from 2 and 1000 and rounds what passes 2^53, so numbers are looked at first. */
export function parseStrict (text) {
  const token = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[^\s,\]}]*/gs
  const mark = `integer ${crypto.randomUUID()} ` // no string of the file can begin with it
  let large = false
  const marked = text.replace(token, found => {
    if (found[0] === '"' || /^-?\d{1,15}$/.test(found)) return found
    if (!/^-?[1-9]\d*$/.test(found)) refuse(`${found.slice(0, 40)} is not an integer`)
    large = true
    return `"${mark}${found}"`
  })
  const revive = (key, value) => typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value
  try { return large ? JSON.parse(marked, revive) : JSON.parse(text) } catch (error) { return refuse(error.message) }
}

// ---- input (section 2) --------------------------------------------------------------------------------------------

const isObject = value => value !== null && typeof value === 'object' && !Array.isArray(value)

function fields (where, value, required, optional) {
  if (!isObject(value)) refuse(`${where} is not an object`)
  for (const key of Object.keys(value)) if (!required.includes(key) && !(key in optional)) refuse(`${where}: unknown field "${key}"`)
  for (const key of required) if (!Object.hasOwn(value, key)) refuse(`${where}: "${key}" is missing`)
  return { ...optional, ...value }
}

function id (where, value) {
  if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) refuse(`${where}: an id is a string without lone surrogates`)
  const length = value.length > 2 * LIMITS.idLength ? Infinity : [...value].length
  return length >= 1 && length <= LIMITS.idLength ? value : refuse(`${where}: an id has 1 to ${LIMITS.idLength} characters`)
}

function integer (where, value, least = 0n, most = LIMITS.cents) {
  if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) refuse(`${where} is not an integer`)
  const n = BigInt(value)
  return n >= least && n <= most ? n : refuse(`${where} is not between ${least} and ${most}`)
}

const optionalCents = (where, value) => value === null ? null : integer(where, value)
const list = (where, value) => Array.isArray(value) ? value : refuse(`${where} is not a list`)
const oneOf = (where, value, choices) => choices.includes(value) ? value : refuse(`${where}: "${value}" is not one of ${choices.join(', ')}`)

function ratio (where, value) {
  const parts = typeof value === 'string' && /^(0|[1-9]\d{0,31})(?:\/(0|[1-9]\d{0,31}))?$/.exec(value)
  if (!parts || parts[2] === '0') refuse(`${where} is not a ratio such as "3/4"`)
  return { text: value, up: BigInt(parts[1]), down: BigInt(parts[2] ?? 1) }
}

const unique = (where, values) => new Set(values).size === values.length ? values : refuse(`${where}: the same id twice`)

const ROOTS = ['quadratic', 'quadratic-square', 'pairwise']
const RULES = ['linear', ...ROOTS, 'proportional', 'per-donor']

function readPot (pot, position, goals) {
  const where = `pots[${position}]`
  const linear = isObject(pot) && pot.rule === 'linear'
  oneOf(`${where}.rule`, pot?.rule, RULES)
  if (pot.rule === 'pairwise') refuse(`${where}: pairwise is not exact, so this verifier does not redo it`)
  const free = pot.rule === 'quadratic'
  const read = fields(where, pot, ['id', 'rule', 'budget_cents'], {
    cap_per_project_cents: null, projects: null, funders: null,
    ...(linear ? { ratio: '1', order: 'prorata', cap_per_donor_cents: null }
      : { mode: free ? 'saturate' : 'normalise', min_donor_cents: 0, min_donors: 0 })
  })
  id(where, read.id)
  const out = { ...read, budget: integer(`${where}.budget_cents`, read.budget_cents), cap: optionalCents(`${where}.cap_per_project_cents`, read.cap_per_project_cents) }
  if (linear) {
    out.parts = ratio(`${where}.ratio`, read.ratio)
    out.donorCap = optionalCents(`${where}.cap_per_donor_cents`, read.cap_per_donor_cents)
    oneOf(`${where}.order`, read.order, ['prorata', 'fcfs'])
  } else {
    oneOf(`${where}.mode`, read.mode, free ? ['saturate', 'normalise'] : ['normalise'])
    out.minCents = integer(`${where}.min_donor_cents`, read.min_donor_cents)
    out.minDonors = integer(`${where}.min_donors`, read.min_donors)
  }
  if (read.projects !== null) {
    for (const p of unique(`${where}.projects`, list(`${where}.projects`, read.projects))) if (!goals.has(p)) refuse(`${where}.projects: unknown project "${p}"`)
    out.projects = [...read.projects].sort(byCodePoint)
  }
  if (read.funders !== null) {
    out.funders = list(`${where}.funders`, read.funders).map((funder, j) => {
      const f = fields(`${where}.funders[${j}]`, funder, ['id', 'pledge_cents'], {})
      return { id: id(`${where}.funders[${j}]`, f.id), pledge_cents: integer(`${where}.funders[${j}].pledge_cents`, f.pledge_cents) }
    }).sort((a, b) => byCodePoint(a.id, b.id))
    unique(`${where}.funders`, out.funders.map(f => f.id))
    if (sum(out.funders.map(f => f.pledge_cents)) !== out.budget) refuse(`${where}.funders: the pledges do not add up to budget_cents`)
  }
  const { budget, cap, parts, donorCap, minCents, minDonors, ...written } = out
  return { ...out, written }
}

/** Checks everything, adds up gifts, and builds the canonical form whose digest is input_sha256. */
export function readInput (input) {
  const top = fields('input', input, ['spec', 'projects', 'pots'], { threshold: null, contributions: undefined, statistics: undefined })
  if (top.spec !== SPEC) refuse(`spec is not "${SPEC}"`)
  if ((top.contributions === undefined) === (top.statistics === undefined)) refuse('give either contributions or statistics')

  const goals = new Map()
  list('projects', top.projects).forEach((project, i) => {
    const p = fields(`projects[${i}]`, project, ['id'], { goal_cents: null })
    if (goals.has(id(`projects[${i}]`, p.id))) refuse(`projects[${i}]: "${p.id}" appears twice`)
    goals.set(p.id, p.goal_cents === null ? null : integer(`projects[${i}].goal_cents`, p.goal_cents, 1n))
  })
  let threshold = null
  if (top.threshold !== null) {
    const t = fields('threshold', top.threshold, ['ratio', 'base'], {})
    threshold = { ...ratio('threshold.ratio', t.ratio), base: oneOf('threshold.base', t.base, ['total', 'citizens']) }
    for (const [p, goal] of goals) if (goal === null) refuse(`project "${p}" has no goal but there is a threshold`)
  }
  const pots = list('pots', top.pots).map((pot, i) => readPot(pot, i, goals)).sort((a, b) => byCodePoint(a.id, b.id))
  unique('pots', pots.map(pot => pot.id))
  const fcfs = pots.some(pot => pot.order === 'fcfs')

  const rows = [] // non-zero gifts in time order: [donor, project, cents, matchable]
  list('contributions', top.contributions ?? []).forEach((row, i) => {
    const where = `contributions[${i}]`
    if (!Array.isArray(row) || row.length < 3 || row.length > 4) refuse(`${where} is not [donor, project, cents]`)
    const match = row.length === 4 ? fields(where, row[3], [], { match: true }).match : true
    if (typeof match !== 'boolean') refuse(`${where}: match is true or false`)
    if (!goals.has(row[1])) refuse(`${where}: unknown project`)
    const gift = [id(where, row[0]), row[1], integer(where, row[2]), match]
    if (gift[2]) rows.push(gift)
  })
  const gifts = new Map([...goals.keys()].map(p => [p, { yes: new Map(), no: new Map() }])) // per project, cents per donor
  for (const [donor, project, cents, match] of rows) {
    const side = gifts.get(project)[match ? 'yes' : 'no']
    side.set(donor, (side.get(donor) ?? 0n) + cents)
  }
  const published = new Map() // statistics
  list('statistics', top.statistics ?? []).forEach((row, i) => {
    const where = `statistics[${i}]`
    if (!Array.isArray(row) || row.length !== 4) refuse(`${where} is not [project, "S", C, n]`)
    const [project, roots, cents, donors] = row
    if (!goals.has(project)) refuse(`${where}: unknown project`)
    if (published.has(project)) refuse(`${where}: "${project}" appears twice`)
    const parts = typeof roots === 'string' && /^(0|[1-9]\d{0,31})(?:\.(\d{1,24}))?$/.exec(roots)
    if (!parts) refuse(`${where}: S is a decimal string with at most 24 decimals`)
    const decimals = (parts[2] ?? '').replace(/0+$/, '')
    published.set(project, {
      S: BigInt(parts[1] + (parts[2] ?? '').padEnd(24, '0')), C: integer(where, cents, 0n, LIMITS.cents ** 2n), n: integer(where, donors),
      written: [project, parts[1] + (decimals && `.${decimals}`), cents, donors]
    })
  })
  if (top.statistics) for (const pot of pots) if (pot.donorCap != null || pot.minCents || pot.order === 'fcfs') refuse(`pot "${pot.id}" needs individual gifts, not statistics`)

  const written = {
    spec: SPEC,
    projects: [...goals].sort((a, b) => byCodePoint(a[0], b[0])).map(([p, goal]) => goal === null ? { id: p } : { id: p, goal_cents: goal }),
    pots: pots.map(pot => pot.written),
    threshold: threshold && { ratio: threshold.text, base: threshold.base }
  }
  const row = (donor, project, cents, match) => match ? [donor, project, cents] : [donor, project, cents, { match: false }]
  if (top.statistics) written.statistics = [...published.values()].map(s => s.written).sort((a, b) => byCodePoint(a[0], b[0]))
  else if (fcfs) written.contributions = rows.map(gift => row(...gift))
  else {
    written.contributions = [...gifts].sort((a, b) => byCodePoint(a[0], b[0])).flatMap(([project, { yes, no }]) =>
      [...new Set([...yes.keys(), ...no.keys()])].sort(byCodePoint).flatMap(donor =>
        [[yes.get(donor), true], [no.get(donor), false]].filter(([cents]) => cents).map(([cents, match]) => row(donor, project, cents, match))))
  }
  return { goals, threshold, pots, rows, gifts, published: top.statistics ? published : null, written }
}

// ---- arithmetic (section 3) ---------------------------------------------------------------------------------------

const roots = new Map() // few distinct amounts: each root is taken once

/** sqrt(cents) as the nearest integer to sqrt(cents) * 10^24; sqrt of an integer is never half-way between two of them. */
export function root (cents) {
  let r = roots.get(cents)
  if (r === undefined) {
    const square = cents * SCALE * SCALE
    r = 1n << BigInt((square.toString(2).length + 1) >> 1)
    for (let next = (r + square / r) >> 1n; next < r; next = (r + square / r) >> 1n) r = next // Newton from above: ends at the floor
    if (square - r * r > r) r += 1n
    if (roots.size > 1e6) roots.clear()
    roots.set(cents, r)
  }
  return r
}

/** Cents from exact shares nums/down: [[id, up]] -> Map id -> cents adding up to `total`, by default their floor. */
export function toCents (shares, down, total = sum(shares.map(s => s[1])) / down) {
  const cents = new Map(shares.map(([p, up]) => [p, up / down]))
  let missing = total - sum([...cents.values()])
  const queue = missing ? shares.filter(([, up]) => up % down).sort((a, b) => sign(b[1] % down - a[1] % down) || sign(b[1] - a[1]) || byCodePoint(a[0], b[0])) : []
  for (const [p] of queue) if (missing > 0n) { cents.set(p, cents.get(p) + 1n); missing-- }
  return cents
}
const sign = n => n > 0n ? 1 : n < 0n ? -1 : 0

/** S, C, n of one project for one pot, after its minimum per donor. */
function statistics (data, project, pot) {
  if (data.published) return data.published.get(project) ?? { S: 0n, C: 0n, n: 0n }
  const kept = [...data.gifts.get(project).yes.values()].filter(cents => cents >= pot.minCents)
  return { S: ROOTS.includes(pot.rule) ? sum(kept.map(root)) : 0n, C: sum(kept), n: BigInt(kept.length) }
}

/** Raw amount in the unit of the rule: cents, or millionths of a cent where roots are involved. */
function rawAmount (data, project, pot) {
  if (pot.rule === 'linear') {
    const base = data.published ? data.published.get(project)?.C ?? 0n
      : sum([...data.gifts.get(project).yes.values()].map(c => pot.donorCap !== null && c > pot.donorCap ? pot.donorCap : c))
    const raw = pot.parts.up * base / pot.parts.down
    return pot.cap !== null && raw > pot.cap ? pot.cap : raw
  }
  const { S, C, n } = statistics(data, project, pot)
  if (n === 0n || n < pot.minDonors) return 0n
  if (pot.rule === 'proportional') return C
  if (pot.rule === 'per-donor') return n
  if (pot.rule === 'quadratic' && n <= 1n) return 0n
  const exact = S * S - (pot.rule === 'quadratic' ? C * SCALE * SCALE : 0n) // in 10^-48 cent
  if (exact < 0n) return 0n // statistics that no gifts can have
  const step = SCALE * SCALE / MICRO
  return (2n * exact + step) / (2n * step) // half up
}

const rational = (up, down) => { const d = gcd(up, down) || 1n; return down / d === 1n ? `${up / d}` : `${up / d}/${down / d}` }

/** Water-filling: the smallest lambda with sum of min(cap, lambda * raw) = budget, or null when there is none. */
function waterFill (raws, cap, budget) {
  if (budget === 0n) return [0n, 1n] // reached by paying nothing, whatever the raws
  const left = raws.map(r => r[1]).filter(raw => raw > 0n).sort((a, b) => sign(b - a))
  let rest = sum(left)
  for (const raw of left) { // the largest are capped first
    if (cap === null || budget * raw <= cap * rest) return [budget, rest]
    budget -= cap
    rest -= raw
    if (budget < 0n) break
  }
  return null
}

/** What one pot pays: {cents: Map, raws: Map, lambda: string|null}. */
function payPot (data, pot, alive, raws) {
  const covered = alive.filter(p => raws.get(pot.id).has(p)).map(p => [p, raws.get(pot.id).get(p)])
  const total = sum(covered.map(c => c[1]))
  if (pot.rule === 'linear') {
    if (total <= pot.budget) return { cents: new Map(covered), lambda: '1' }
    if (pot.order === 'fcfs') return { cents: firstCome(data, pot, covered), lambda: null }
    return { cents: toCents(covered.map(([p, raw]) => [p, raw * pot.budget]), total), lambda: rational(pot.budget, total) }
  }
  const unit = ROOTS.includes(pot.rule) ? MICRO : 1n
  const cap = pot.cap === null ? null : pot.cap * unit
  const upToCap = ([p, up], down = 1n) => [p, cap !== null && up > cap * down ? cap * down : up]
  const full = covered.map(share => upToCap(share))
  if (pot.mode === 'saturate' && sum(full.map(f => f[1])) <= pot.budget * unit) return { cents: toCents(full, unit), lambda: '1' }
  const level = waterFill(covered, cap, pot.budget * unit)
  if (!level) return { cents: new Map(covered.map(([p, raw]) => [p, raw > 0n && cap !== null ? pot.cap : 0n])), lambda: null }
  const [up, down] = level
  return { cents: toCents(covered.map(([p, raw]) => upToCap([p, raw * up], down)), down * unit), lambda: rational(up, down) }
}

/** Linear, first come first served: the rows in time order, each rounded down on its own. */
function firstCome (data, pot, covered) {
  const paid = new Map(covered.map(([p]) => [p, 0n]))
  const given = new Map(covered.map(([p]) => [p, new Map()]))
  let budget = pot.budget
  for (const [donor, project, cents, match] of data.rows) {
    if (!match || !paid.has(project)) continue
    const before = given.get(project).get(donor) ?? 0n
    given.get(project).set(donor, before + cents)
    let part = cents
    if (pot.donorCap !== null && before + cents > pot.donorCap) part = before < pot.donorCap ? pot.donorCap - before : 0n
    let aid = pot.parts.up * part / pot.parts.down
    if (pot.cap !== null && aid > pot.cap - paid.get(project)) aid = pot.cap - paid.get(project)
    if (aid > budget) aid = budget
    budget -= aid
    paid.set(project, paid.get(project) + aid)
  }
  return paid
}

/** Section 6: columns by pledge, then funder after funder in proportion to what each project is still owed. */
function shareOverFunders (pot, cents, spent) {
  if (!pot.funders?.length) return null
  const pledges = sum(pot.funders.map(f => f.pledge_cents))
  const columns = toCents(pot.funders.map(f => [f.id, pledges ? f.pledge_cents * spent : 0n]), pledges || 1n)
  const owed = new Map(cents)
  const largestFirst = [...pot.funders].sort((a, b) => sign(b.pledge_cents - a.pledge_cents) || byCodePoint(a.id, b.id))
  return new Map(largestFirst.map(funder => {
    const column = columns.get(funder.id)
    const due = sum([...owed.values()])
    const cells = toCents([...owed].map(([p, o]) => [p, o * column]), due || 1n)
    for (const [p, cell] of cells) owed.set(p, owed.get(p) - cell)
    return [funder.id, { spent_cents: column, projects: new Map([...cells].filter(([, cell]) => cell)) }]
  }))
}

// ---- threshold, result, digests (sections 4 and 5) ----------------------------------------------------------------

/** The result of section 5 without `engine` and digests. Throws InputError, naming the row. */
export function compute (input, data = readInput(input)) {
  const { goals, threshold, pots } = data
  const order = [...goals.keys()].sort(byCodePoint)
  const donors = new Map(order.map(p => [p, new Map()])) // every gift, matchable or not
  for (const [p, { yes, no }] of data.gifts) for (const side of [yes, no]) for (const [donor, c] of side) donors.get(p).set(donor, (donors.get(p).get(donor) ?? 0n) + c)
  const citizens = new Map(order.map(p => [p, data.published ? data.published.get(p)?.C ?? 0n : sum([...donors.get(p).values()])]))
  const count = p => data.published ? data.published.get(p)?.n ?? 0n : donors.get(p).size
  const raws = new Map(pots.map(pot => [pot.id, new Map((pot.projects ?? order).map(p => [p, rawAmount(data, p, pot)]))]))

  let alive = order, paid
  const eliminated = []
  for (;;) {
    if (threshold?.base !== 'citizens' || !paid) paid = new Map(pots.map(pot => [pot.id, payPot(data, pot, alive, raws)]))
    if (!threshold) break
    const base = p => citizens.get(p) + (threshold.base === 'total' ? sum(pots.map(pot => paid.get(pot.id).cents.get(p) ?? 0n)) : 0n)
    let worst = null // ids come in order, so the first of equals is the smallest
    for (const p of alive) {
      const b = base(p)
      if (threshold.down * b < threshold.up * goals.get(p) && (!worst || b * goals.get(worst.p) < worst.b * goals.get(p))) worst = { p, b }
    }
    if (!worst) break
    const entry = { project: worst.p, base_cents: worst.b, needed_cents: (threshold.up * goals.get(worst.p) + threshold.down - 1n) / threshold.down, refund_total_cents: citizens.get(worst.p) }
    if (!data.published) entry.refunds = donors.get(worst.p)
    eliminated.push(entry)
    alive = alive.filter(p => p !== worst.p)
  }
  if (threshold?.base === 'citizens') paid = new Map(pots.map(pot => [pot.id, payPot(data, pot, alive, raws)]))

  const survives = new Set(alive)
  const shown = (pot, raw) => ROOTS.includes(pot.rule) ? `${raw / MICRO}.${String(raw % MICRO).padStart(6, '0')}` : String(raw)
  const projects = new Map(order.map(p => {
    const mine = pots.filter(pot => raws.get(pot.id).has(p))
    const match = new Map(mine.map(pot => [pot.id, paid.get(pot.id).cents.get(p) ?? 0n]))
    return [p, {
      funded: survives.has(p), citizens_cents: citizens.get(p), donors: count(p), match_cents: match,
      total_cents: survives.has(p) ? citizens.get(p) + sum([...match.values()]) : 0n,
      raw: new Map(survives.has(p) ? mine.map(pot => [pot.id, shown(pot, raws.get(pot.id).get(p))]) : [])
    }]
  }))
  const potsOut = new Map(pots.map(pot => {
    const { cents, lambda } = paid.get(pot.id)
    const spent = sum([...cents.values()])
    const funders = shareOverFunders(pot, cents, spent)
    return [pot.id, { spent_cents: spent, unspent_cents: pot.budget - spent, lambda, ...(funders && { funders }) }]
  }))
  return { spec: SPEC, projects, pots: potsOut, eliminated }
}

/** The whole result with both digests, as plain data. */
export async function computeWithDigests (input) {
  const data = readInput(input)
  const result = { ...compute(input, data), input_sha256: await sha256(canonical(data.written) + '\n') }
  return { ...result, result_sha256: await sha256(canonical(result) + '\n') }
}

/** Where two results first differ, in canonical order, as "path: published X, recomputed Y"; null when they agree. */
export function firstDifference (published, recomputed, path = '') {
  const entries = value => value instanceof Map ? value : isObject(value) ? new Map(Object.entries(value)) : null
  const show = value => value === undefined ? 'nothing' : (text => text.length > 120 ? text.slice(0, 120) + '…' : text)(canonical(value))
  const [a, b] = Array.isArray(published) && Array.isArray(recomputed)
    ? [new Map(published.map((v, i) => [String(i), v])), new Map(recomputed.map((v, i) => [String(i), v]))]
    : [entries(published), entries(recomputed)]
  if (!a || !b) return published !== undefined && recomputed !== undefined && canonical(published) === canonical(recomputed) ? null : `${path || 'result'}: published ${show(published)}, recomputed ${show(recomputed)}`
  const keys = [...new Set([...a.keys(), ...b.keys()])].sort(Array.isArray(published) ? (x, y) => x - y : byCodePoint)
  for (const key of keys) {
    const found = firstDifference(a.get(key), b.get(key), path ? `${path}.${key}` : key)
    if (found) return found
  }
  return null
}

/** {identical, difference, input_sha256, result_sha256}: the published result against a fresh computation of the input. */
export async function verifyResult (input, published) {
  const recomputed = await computeWithDigests(input)
  if (!isObject(published)) refuse('the result is not an object')
  const { engine, result_sha256: digest, ...rest } = published
  const { result_sha256: expected, ...mine } = recomputed
  const difference = firstDifference(rest.input_sha256, mine.input_sha256, 'input_sha256') ?? // another input explains all the rest
    firstDifference(rest, mine) ?? firstDifference(digest, expected, 'result_sha256')
  return { identical: difference === null, difference, input_sha256: mine.input_sha256, result_sha256: expected }
}

// ---- dossier (zip) ------------------------------------------------------------------------------------------------

async function inflate (bytes, method, size) {
  if (method === 0) return bytes
  if (method !== 8) refuse('zip: unknown compression method')
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader()
  const out = new Uint8Array(size)
  let at = 0
  for (;;) { // never holds more than the announced size, which is itself limited
    const { done, value } = await reader.read().catch(() => refuse('zip: damaged entry'))
    if (done) break
    if (at + value.length > size) { await reader.cancel(); refuse('zip: an entry is larger than announced') }
    out.set(value, at)
    at += value.length
  }
  return at === size ? out : refuse('zip: an entry is shorter than announced')
}

/** Minimal zip reader: Map of name -> () => Promise<bytes> from the central directory, within LIMITS. */
export function unzip (buffer) {
  const bytes = new Uint8Array(buffer)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length > LIMITS.zipBytes) refuse('zip: too large')
  let end = bytes.length - 22
  while (end >= 0 && end > bytes.length - 65558 && view.getUint32(end, true) !== 0x06054b50) end--
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) refuse('not a zip file')
  const entries = new Map()
  let at = view.getUint32(end + 16, true)
  const count = view.getUint16(end + 10, true)
  if (count > LIMITS.entries) refuse('zip: too many entries')
  const within = (start, length) => start + length <= bytes.length ? start : refuse('zip: damaged directory')
  for (let i = 0; i < count; i++) {
    if (view.getUint32(within(at, 46), true) !== 0x02014b50) refuse('zip: damaged directory')
    const [method, packed, size, offset] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true), view.getUint32(at + 24, true), view.getUint32(at + 42, true)]
    const [nameLength, extra, comment] = [28, 30, 32].map(o => view.getUint16(at + o, true))
    const name = new TextDecoder().decode(bytes.subarray(within(at + 46, nameLength), at + 46 + nameLength))
    if (entries.has(name)) refuse(`zip: "${name}" appears twice`)
    if (size > LIMITS.entryBytes) refuse(`zip: "${name}" is too large`)
    entries.set(name, async () => {
      if (view.getUint32(within(offset, 30), true) !== 0x04034b50) refuse('zip: damaged entry')
      const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true)
      return inflate(bytes.subarray(within(start, packed), start + packed), method, size)
    })
    at += 46 + nameLength + extra + comment
  }
  return entries
}

const text = (bytes, name) => { try { return new TextDecoder('utf-8', { fatal: true }).decode(bytes) } catch { return refuse(`${name} is not UTF-8`) } }

/** Floor of the square (power 2) or cube (3) root of n, for the constants of FIPS 180-4. */
function integerRoot (n, power) {
  let low = 0n, high = 1n << 64n
  while (high - low > 1n) { const middle = (low + high) >> 1n; if (middle ** power <= n) low = middle; else high = middle }
  return low
}

const PRIMES = [2n]
for (let n = 3n; PRIMES.length < 64; n += 2n) if (PRIMES.every(p => n % p)) PRIMES.push(n)
const START = PRIMES.slice(0, 8).map(p => Number(integerRoot(p << 64n, 2n) & 0xffffffffn) | 0)
const ROUND = Int32Array.from(PRIMES, p => Number(integerRoot(p << 96n, 3n) & 0xffffffffn) | 0)
const words = new Int32Array(64)

/** SHA-256 of few bytes at once: crypto.subtle answers later, which a tree of 10^5 nodes cannot afford. */
export function quickHash (bytes) {
  const padded = new Uint8Array((bytes.length + 72) & ~63)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 4, bytes.length * 8)
  const state = START.slice()
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 64; i++) {
      if (i < 16) { words[i] = view.getInt32(block + 4 * i); continue }
      const x = words[i - 15], y = words[i - 2]
      const small0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
      const small1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
      words[i] = (words[i - 16] + small0 + words[i - 7] + small1) | 0
    }
    let [a, b, c, d, e, f, g, h] = state
    for (let i = 0; i < 64; i++) {
      const big1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
      const big0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
      const one = (h + big1 + ((e & f) ^ (~e & g)) + ROUND[i] + words[i]) | 0
      const two = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0
    }
    ;[a, b, c, d, e, f, g, h].forEach((word, i) => { state[i] = (state[i] + word) | 0 })
  }
  const out = new DataView(new ArrayBuffer(32))
  state.forEach((word, i) => out.setInt32(4 * i, word))
  return new Uint8Array(out.buffer)
}

/** Root of the receipts' tree: node = SHA-256 of 0x01, left, right; an odd node climbs unchanged. */
function merkleRoot (leaves) {
  let level = leaves.map(line => Uint8Array.from({ length: 32 }, (_, i) => parseInt(line.slice(2 * i, 2 * i + 2), 16)))
  if (!level.length) return hex(quickHash(new Uint8Array(0)))
  const node = new Uint8Array(65).fill(1, 0, 1)
  while (level.length > 1) {
    level = level.flatMap((left, i) => {
      if (i % 2) return []
      if (i + 1 === level.length) return [left]
      node.set(left, 1)
      node.set(level[i + 1], 33)
      return [quickHash(node)]
    })
  }
  return hex(level[0])
}

/** What a manifest says of the other files and of the result, against what they are. */
async function manifestDifference (manifest, files, verdict) {
  const digests = new Map(await Promise.all([...files].filter(([name]) => name !== 'manifest.json').map(async ([name, bytes]) => [name, await sha256(bytes)])))
  const leaves = files.has('leaves.txt') ? text(files.get('leaves.txt'), 'leaves.txt').split('\n').slice(0, -1) : []
  const astray = leaves.findIndex((line, i) => !/^[0-9a-f]{64}$/.test(line) || (i && line < leaves[i - 1]))
  if (astray >= 0) return `leaves.txt: line ${astray + 1} is not a fingerprint in its place`
  const found = {
    contributions: leaves.length, input_sha256: verdict.input_sha256, result_sha256: verdict.result_sha256,
    merkle_root: merkleRoot(leaves), rules_sha256: digests.get('rules.txt')
  }
  const said = Object.fromEntries(Object.keys(found).map(key => [key, manifest[key]]))
  return firstDifference(manifest.members, digests, 'manifest.members') ?? firstDifference(said, found, 'manifest')
}

/** Redoes the result of a published dossier from its input; a manifest, where there is one, must tell the truth too. */
export async function verifyDossier (buffer) {
  const files = new Map()
  for (const [name, read] of unzip(buffer)) files.set(name, await read())
  const json = name => files.has(name) ? parseStrict(text(files.get(name), name)) : refuse(`${name} is missing`)
  try {
    const verdict = await verifyResult(json('input.json'), json('result.json'))
    const difference = verdict.difference ?? (files.has('manifest.json') ? await manifestDifference(json('manifest.json'), files, verdict) : null)
    return { ...verdict, identical: difference === null, difference }
  } catch (error) {
    if (error instanceof RangeError) return { identical: false, difference: 'nested too deep' }
    if (error instanceof InputError) return { identical: false, difference: error.message }
    throw error
  }
}

// ---- command line (Node) ------------------------------------------------------------------------------------------

async function main (paths) {
  const { readFile } = await import('node:fs/promises')
  const [first, second] = await Promise.all(paths.map(path => readFile(path)))
  const isZip = first[0] === 0x50 && first[1] === 0x4b
  if (!isZip && !second) {
    console.log(canonical(await computeWithDigests(parseStrict(text(first, paths[0])))))
    return 0
  }
  const { identical, difference, result_sha256: digest } = isZip ? await verifyDossier(first) : await verifyResult(parseStrict(text(first, paths[0])), parseStrict(text(second, paths[1])))
  console.log(identical ? `identical ${digest}` : `differs: ${difference}`)
  return identical ? 0 : 1
}

if (typeof process !== 'undefined' && process.argv?.[1] && import.meta.url === (await import('node:url')).pathToFileURL(process.argv[1]).href) {
  try {
    process.exitCode = process.argv.length < 3 ? refuse('usage: node verify.mjs dossier.zip | input.json [result.json]') : await main(process.argv.slice(2, 4))
  } catch (error) {
    console.error(error instanceof InputError || error instanceof RangeError || error.code ? error.message : error) // RangeError: nested too deep
    process.exitCode = 2
  }
}
