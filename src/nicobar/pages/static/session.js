// Comforts for the page of a session, which works without them: a new total when country, currency or the number of an add-on has changed.
"use strict";

const form = document.querySelector("[data-session]");
let waiting;
let sent = false;

// Whoever walks through a list with the keys passes others: only where they stop is asked for a price.
form.addEventListener("change", (event) => {
  if (!event.target.matches("select[data-prices], [inputmode=numeric][data-prices]")) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => { if (!sent) form.querySelector("button[name=update]").click(); }, 700);
});

// After the first press no other one counts.
form.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (sent) event.preventDefault();
  else if ("pays" in form.dataset && !button?.name) document.dispatchEvent(new CustomEvent("paying"));
  sent = true;
  clearTimeout(waiting);
  if (button?.dataset.busy) setTimeout(() => { button.textContent = button.dataset.busy; });
});
window.addEventListener("pageshow", () => { sent = false; });
