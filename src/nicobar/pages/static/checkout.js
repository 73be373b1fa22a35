// Small comforts for the payment form. Everything works without them; nothing here reads, keeps or sends card data.
"use strict";

const AMERICAN_EXPRESS = /^3[47]/;

function group(digits) {
  const sizes = AMERICAN_EXPRESS.test(digits) ? [4, 6, 9] : [4, 4, 4, 4, 3];
  const parts = [];
  let start = 0;
  for (const size of sizes) {
    if (start < digits.length) parts.push(digits.slice(start, start + size));
    start += size;
  }
  return parts.join(" ");
}

function monthAndYear(digits) {
  return digits.length < 3 ? digits : `${digits.slice(0, 2)} / ${digits.slice(2, 6)}`;
}

// Rewrites a field while somebody types at its end; in the middle of it, rewriting would move the caret away.
function keepTidy(id, tidy) {
  const field = document.getElementById(id);
  if (!field) return;
  field.addEventListener("input", (event) => {
    const atEnd = field.selectionStart === field.value.length;
    const deleting = event.inputType && event.inputType.startsWith("delete");
    const foreign = /[^0-9 /-]/.test(field.value);
    if (atEnd && !deleting && !foreign) field.value = tidy(field.value.replace(/[^0-9]/g, "").slice(0, 19));
  });
}

// After the first press no other one counts. The buttons are switched off a moment later: one that is off already does
// not tell the server that it was the one that was pressed.
function showBusy(form) {
  const buttons = [...form.querySelectorAll("button[data-busy]")];
  if (!buttons.length) return;
  let labels = [];
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
    setTimeout(() => {
      labels = buttons.map((button) => button.textContent);
      for (const button of buttons) {
        button.disabled = true;
        button.textContent = button.dataset.busy;
      }
    });
  });
  // A browser that goes back to this page may show it as it was left: the buttons have to work again.
  window.addEventListener("pageshow", () => {
    sent = false;
    labels.forEach((label, index) => {
      buttons[index].disabled = false;
      buttons[index].textContent = label;
    });
  });
}

// Only the fields of the chosen way to pay are sent. The hidden ones are off, so the browser may check the others.
function sendChosenOnly(form) {
  const methods = form.querySelectorAll("[data-method]");
  if (!methods.length) return;
  const update = () => {
    // A change of the order may have taken the chosen one away.
    if (!form.querySelector("input[name=method]:checked")) methods[0].querySelector("input[type=radio]").checked = true;
    for (const method of methods) {
      const chosen = method.querySelector("input[type=radio]").checked;
      method.querySelectorAll(".method-panel input").forEach((field) => { field.disabled = !chosen; });
    }
  };
  form.noValidate = false;
  form.addEventListener("change", update);
  window.addEventListener("pageshow", update);
  update();
}

// --- changes before paying: the server prices the order anew, and only what it changed is replaced ---------------

function partsOf(root) {
  return [...root.querySelectorAll("[data-part]")];
}

// What a part is made of, without the token of its forms and the amount on their buttons: these are renewed in place.
function shape(part) {
  const copy = part.cloneNode(true);
  copy.querySelectorAll("input[name=token]").forEach((field) => field.removeAttribute("value"));
  copy.querySelectorAll("button[data-busy]").forEach((button) => { button.textContent = ""; });
  return copy.innerHTML;
}

function renew(part, fresh) {
  const labels = [...fresh.querySelectorAll("button[data-busy]")].map((button) => button.textContent);
  part.querySelectorAll("button[data-busy]").forEach((button, index) => { button.textContent = labels[index]; });
  const token = fresh.querySelector("input[name=token]");
  part.querySelectorAll("input[name=token]").forEach((field) => { field.value = token.value; });
}

function unsent(field, sent) {
  const chosen = field.options && [...field.options].find((option) => option.defaultSelected);
  return field.value !== (sent.get(field.name) ?? (field.options ? chosen?.value : field.defaultValue));
}

const labelOf = (element) => element.getAttribute("aria-label") ?? element.textContent;

// Gives the focus to what has taken the place of an element: somebody on a keyboard must not start at the top again.
function passFocus(element, part) {
  const peers = [...part.querySelectorAll("input, select, button, summary, a")];
  const successor = peers.find((peer) => peer.id && peer.id === element.id)
    ?? peers.find((peer) => peer.tagName === element.tagName && labelOf(peer) === labelOf(element) && !element.id)
    ?? (element.matches(".button") ? part.querySelector(".button") : null);
  successor?.focus();
  if (document.activeElement !== successor) part.querySelector("summary")?.focus();
}

// Puts a new part in the place of the old one, with the focus, the open folds and what was typed meanwhile. Fields of a
// way to pay move over as they are: nobody looks at what they hold.
function replace(part, fresh, sent) {
  const next = document.importNode(fresh, true);
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const folds = [...part.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
  next.querySelectorAll("[autofocus]").forEach((element) => element.removeAttribute("autofocus"));
  next.querySelectorAll("details > summary").forEach((summary) => {
    if (folds.includes(summary.textContent)) summary.parentElement.open = true;
  });
  part.querySelectorAll("input[id], select[id]").forEach((field) => {
    const successor = next.querySelector(`#${field.id}`);
    if (!successor) return;
    if (part.dataset.part === "payment") successor.replaceWith(field);
    else if (unsent(field, sent)) successor.value = field.value;
  });
  part.replaceWith(next);
  next.querySelectorAll("form").forEach(showBusy);
  next.querySelectorAll("form").forEach(sendChosenOnly);
  if (focused) passFocus(focused, next);
}

function totalInWords() {
  return [...document.querySelector(".sum-total").children].map((part) => part.textContent).join(" ");
}

function showAnswer(page, sent) {
  const total = totalInWords();
  for (const part of partsOf(document)) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    const before = served.get(part.dataset.part);
    served.set(part.dataset.part, shape(fresh));
    if (served.get(part.dataset.part) === before) renew(part, fresh);
    else replace(part, fresh, sent);
  }
  const now = totalInWords();
  if (now !== total) document.querySelector("[data-announce]").textContent = now;
  const frame = page.querySelector("script[data-frame]");
  if (frame) document.dispatchEvent(new CustomEvent("repriced", { detail: frame.dataset.frame }));
}

function holdPayment(held) {
  document.querySelectorAll("[data-part=payment] button[type=submit]").forEach((button) => { button.disabled = held; });
}

async function change(form, name, value) {
  const replaced = !form.isConnected && form.dataset.change === "details";
  const sent = new URLSearchParams(new FormData(replaced ? document.querySelector("form[data-change=details]") : form));
  if (name) sent.set(name, value);
  holdPayment(true);
  const answer = await fetch(form.action, { method: "POST", body: sent, headers: { accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (page.querySelector("[data-part=payment]")) showAnswer(page, sent);
  else location.assign(answer.url);
}

// One change after the other, so that the last one is the one that holds. Whatever goes wrong, the form itself works.
function queueChange(form, button, name, value) {
  queue = queue.then(() => change(form, name, value)).catch(() => {
    form.dataset.plain = "yes";
    setTimeout(() => { if (form.isConnected) form.requestSubmit(button); }); // not while it is still being submitted
  }).finally(() => holdPayment(false));
}

const served = new Map(partsOf(document).map((part) => [part.dataset.part, shape(part)]));
let queue = Promise.resolve();
let settling;

// Whoever types the name of a country passes through others: only where they stop is asked for a price.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-change=details]");
  if (!form || !("prices" in event.target.dataset)) return;
  clearTimeout(settling);
  holdPayment(true);
  settling = setTimeout(() => queueChange(form, null, "update", "yes"), 300);
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.change !== "discount" || form.dataset.plain) return;
  event.preventDefault();
  queueChange(form, event.submitter, event.submitter?.name, event.submitter?.value);
});

// The time that is left comes from the server: the clock of a customer may be wrong.
function countDown(part) {
  const end = Date.now() + part.dataset.countdown * 1000;
  const write = (count, unit) => count.toLocaleString(document.documentElement.lang, { style: "unit", unit });
  const show = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const [days, hours, minutes] = [86400, 3600, 60].map((unit) => Math.floor(left / unit));
    const time = days ? [write(days, "day"), write(hours % 24, "hour")]
      : hours ? [write(hours, "hour"), write(minutes % 60, "minute")]
      : [write(minutes, "minute"), write(left % 60, "second")];
    part.querySelector("span").textContent = part.dataset.text.replace("{time}", time.join(" "));
    if (left) setTimeout(show, 1000);
    else location.replace(location.href.split("#")[0]);
  };
  show();
}

// A page that waits looks from time to time whether there is another one. One that says the same would only interrupt
// whoever is reading this one.
function lookAgain(part, seconds) {
  const target = part.dataset.here || location.href;
  setTimeout(async () => {
    const answer = await fetch(target, { redirect: "manual", headers: { accept: "text/html" } }).catch(() => null);
    if (!answer || answer.status >= 500) return lookAgain(part, seconds);
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main[data-again]");
    if (next?.textContent === part.textContent) return lookAgain(part, next.dataset.again);
    return location.replace(target);
  }, seconds * 1000);
}

// A receipt leads back by itself, unless somebody wants to go on reading it.
function offerToStay(button) {
  const part = button.parentElement;
  const timer = part.dataset.to && setTimeout(() => location.assign(part.dataset.to), part.dataset.leave * 1000);
  button.hidden = false;
  button.addEventListener("click", () => {
    clearTimeout(timer);
    document.dispatchEvent(new CustomEvent("stay"));
    document.querySelector("main .button").focus();
    part.remove();
  });
}

keepTidy("number", group);
keepTidy("expiry", monthAndYear);
document.querySelectorAll("form").forEach(showBusy);
document.querySelectorAll("form").forEach(sendChosenOnly);
document.querySelectorAll("[data-countdown]").forEach(countDown);
document.querySelectorAll("[data-print]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
});
document.querySelectorAll("[data-again]").forEach((part) => lookAgain(part, part.dataset.again));
document.querySelectorAll("[data-stay]").forEach(offerToStay);
