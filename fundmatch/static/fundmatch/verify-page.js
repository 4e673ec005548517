// Redoes a published result in the reader's own browser. Progressive enhancement: without script the button stays hidden
// and the page offers the dossier and the command line instead. No inline code, no style, no other host (strict CSP).
//
//   <button type="button" hidden data-fundmatch-verify data-dossier-url="…/dossier.zip" data-result-sha256="…"
//     data-output="verify-status" data-message-working="…" data-message-identical="… %(digest)s"
//     data-message-different="… %(where)s" data-message-failed="… %(reason)s">…</button>
//   <p id="verify-status" role="status"></p>
//
// Sentences come translated from the template; %(name)s is replaced here. data-result-sha256 is the digest that the page
// itself shows: a dossier that is consistent but is not the one announced counts as different.

import { verifyDossier, LIMITS } from './verify.mjs'

const fill = (sentence, values) => (sentence ?? '').replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole)
const nextPaint = () => new Promise(resolve => setTimeout(resolve, 30))

async function download (url) {
  const response = await fetch(url, { credentials: 'same-origin' })
  if (!response.ok) throw new Error(`HTTP ${response.status}`)
  if (Number(response.headers.get('Content-Length')) > LIMITS.zipBytes) throw new Error('zip: too large')
  return response.arrayBuffer()
}

/** The sentence to show, and its kind for the stylesheet: identical, different or failed. */
export async function verdict (data) {
  try {
    const { identical, difference, result_sha256: digest } = await verifyDossier(await download(data.dossierUrl))
    if (!identical) return ['different', fill(data.messageDifferent, { where: difference })]
    if (data.resultSha256 && data.resultSha256 !== digest) return ['different', fill(data.messageDifferent, { where: `result_sha256 ${digest}` })]
    return ['identical', fill(data.messageIdentical, { digest })]
  } catch (error) {
    return ['failed', fill(data.messageFailed, { reason: error.message })]
  }
}

function enhance (button) {
  const status = document.getElementById(button.dataset.output) ?? button.parentElement.querySelector('[role=status]')
  if (!status || typeof DecompressionStream === 'undefined' || !globalThis.crypto?.subtle) return
  button.hidden = false
  button.addEventListener('click', async () => {
    if (button.getAttribute('aria-disabled') === 'true') return
    button.setAttribute('aria-disabled', 'true')
    delete status.dataset.verdict
    status.textContent = fill(button.dataset.messageWorking, {})
    await nextPaint() // let the sentence be read out before the calculation holds the page
    const [kind, sentence] = await verdict(button.dataset)
    status.dataset.verdict = kind
    status.textContent = sentence
    button.removeAttribute('aria-disabled')
  })
}

for (const button of document.querySelectorAll('[data-fundmatch-verify]')) enhance(button)
