// Improves pages that already work without it. No dependency, no inline code, nothing sent elsewhere.
(() => {
  "use strict";

  // --- Error summary: the first thing to hear after a refused form.
  const errors = document.querySelector("[data-pb-errors]");
  if (errors) errors.focus();

  // --- Waiting for the bank: ask again, more and more rarely; reload when the answer has changed.
  const waiting = document.querySelector("[data-pb-poll]");
  if (waiting) {
    let delay = 2000;
    const ask = async () => {
      try {
        const answer = await fetch(waiting.dataset.pbPoll, { headers: { Accept: "application/json" }, credentials: "same-origin" });
        if (answer.ok && (await answer.json()).state !== waiting.dataset.pbState) return window.location.reload();
      } catch { /* The network may come back: the button « Actualiser » stays. */ }
      delay = Math.min(delay * 1.5, 30000);
      window.setTimeout(ask, delay);
    };
    window.setTimeout(ask, delay);
  }

  // --- Simulator: the server calculates, half a second after the last key.
  for (const form of document.querySelectorAll("form[data-pb-simulator]")) {
    const output = form.querySelector("output");
    const field = form.querySelector("input[name=montant]");
    let timer, request = 0;
    const calculate = async () => {
      const mine = ++request;
      const url = new URL(form.dataset.pbSimulator, window.location.href);
      url.searchParams.set("montant", field.value);
      try {
        const answer = await fetch(url, { headers: { Accept: "application/json" } });
        const said = await answer.json();
        // A slow answer to an older amount must not replace a newer one.
        if (mine === request && said.sentence) output.textContent = said.sentence;
      } catch { /* The button « Calculer » still asks the server. */ }
    };
    const later = () => { window.clearTimeout(timer); timer = window.setTimeout(calculate, 500); };
    form.addEventListener("change", (event) => {
      if (event.target.name === "choix" && event.target.value) field.value = event.target.value;
      later();
    });
    field.addEventListener("input", () => {
      for (const choice of form.querySelectorAll("input[name=choix]")) choice.checked = choice.value === field.value.trim();
      later();
    });
    form.addEventListener("submit", (event) => {
      // Another button of the form may lead elsewhere.
      if (event.submitter && event.submitter.hasAttribute("formaction")) return;
      event.preventDefault();
      window.clearTimeout(timer);
      calculate();
    });
  }

  // --- One click, one request: the server refuses the second, this spares the surprise.
  for (const form of document.querySelectorAll("form[data-pb-once]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.pbSent) return event.preventDefault();
      form.dataset.pbSent = "1";
    });
    // The back button may show the page as it was left.
    window.addEventListener("pageshow", () => { delete form.dataset.pbSent; });
  }

  // --- Session about to end.
  const session = document.querySelector("[data-pb-session]");
  if (session) {
    const form = session.querySelector("form");
    let timer;
    const plan = (seconds) => {
      window.clearTimeout(timer);
      // Two minutes are enough to press a button (RGAA 13.1).
      timer = window.setTimeout(() => { session.hidden = false; }, Math.max(0, seconds - 120) * 1000);
    };
    plan(Number(session.dataset.pbSession));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const answer = await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin", headers: { Accept: "application/json" } });
        if (!answer.ok) return form.submit();
        plan((await answer.json()).seconds);
        session.hidden = true;
      } catch { form.submit(); }
    });
  }
})();
