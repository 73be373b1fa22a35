// Comforts for the payment form. Everything works without them. A form goes to our own server as the browser itself
// would send it, only that the page stays, with all that was typed, when something is wrong; nothing here keeps it.
"use strict";

const SCRIPTED = { accept: "text/html", "x-nicobar-script": "1" };
const BRANDS = [
  ["amex", /^3[47]/], ["diners", /^3(0[0-5]|[689])/], ["discover", /^(6011|64[4-9]|65)/], ["jcb", /^35(2[89]|[3-8])/],
  ["mastercard", /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/], ["unionpay", /^62/], ["visa", /^4/],
];
const brandOf = (digits) => BRANDS.find(([, start]) => start.test(digits))?.[0];
const byId = (id) => document.getElementById(id);

// --- numbers as people type them --------------------------------------------------------------------------------

// Digits of a script stand in one row, so the place of one is the number of its neighbours before it.
function western(text) {
  return text.normalize("NFKC").replace(/\p{Nd}/gu, (digit) => {
    let first = digit.codePointAt(0);
    while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first -= 1;
    return (digit.codePointAt(0) - first) % 10;
  });
}

// What was pasted with words before it, as in "Card: 4242 ...", without them.
const withoutLabel = (text) => western(text).replace(/^\p{L}[^\d]{0,30}[:#.\s]+(?=\d)/u, "").trim();

function group(text) {
  const digits = text.replace(/\D/g, "").slice(0, 19);
  const sizes = brandOf(digits) === "amex" ? [4, 6, 9] : [4, 4, 4, 4, 3];
  const parts = [];
  let start = 0;
  for (const size of sizes) {
    if (start < digits.length) parts.push(digits.slice(start, start + size));
    start += size;
  }
  return parts.join(" ");
}

function monthAndYear(text) {
  const turned = /^(20\d\d)[ ./-]+(\d{1,2})$/.exec(text);
  const divided = turned ? [, turned[2], turned[1]] : /^(\d{1,2})[ ./-]+(\d*)/.exec(text);
  if (divided) return `${divided[1].padStart(2, "0")} / ${divided[2].slice(0, 4)}`;
  const digits = text.replace(/\D/g, "");
  const single = /^([2-9]|1[3-9])/.test(digits); // no month is written so, but with one digit
  if (!single && digits.length < 3) return digits;
  return `${digits.slice(0, single ? 1 : 2).padStart(2, "0")} / ${digits.slice(single ? 1 : 2).slice(0, 4)}`;
}

function passesLuhn(digits) {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = index % 2 ? digit * 2 : Number(digit);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return digits.length > 11 && digits.length < 20 && sum % 10 === 0;
}

// A bank's number, in whose parts only letters and digits count.
const bare = (text) => withoutLabel(text).replace(/[^\p{L}\p{Nd}]/gu, "").toUpperCase();
const digitsOnly = (least, most) => ({ holds: (text) => new RegExp(`^\\d{${least},${most}}$`).test(bare(text)) });

function isRouting(number) {
  const sum = [...number].reduce((total, digit, index) => total + digit * [3, 7, 1][index % 3], 0);
  return /^\d{9}$/.test(number) && sum % 10 === 0;
}

// ISO 13616: with the first four at the end and letters as numbers from 10, the rest by 97 is 1.
function isIban(number) {
  const turned = number.slice(4) + number.slice(0, 4);
  const value = turned.replace(/[A-Z]/g, (letter) => letter.charCodeAt(0) - 55);
  return /^[A-Z]{2}\d{2}[A-Z0-9]{6,30}$/.test(number) && BigInt(value) % 97n === 1n;
}

const FIELDS = {
  number: { tidy: group, holds: (text) => passesLuhn(text.replace(/[ .-]/g, "")) },
  expiry: { tidy: monthAndYear, holds: (text) => /^(0[1-9]|1[0-2]) \/ (\d\d|20\d\d)$/.test(text) },
  cvc: { tidy: (text) => text.replace(/[ .-]/g, ""), holds: (text) => /^\d{3,4}$/.test(text) },
  name: { holds: (text) => western(text).replace(/\D/g, "").length < 8 },
  account: digitsOnly(4, 17),
  blik_code: digitsOnly(6, 6),
  iban: { holds: (text) => isIban(western(text).replace(/[^\p{L}\p{Nd}]/gu, "").toUpperCase().replace(/^IBAN/, "")) },
  routing: { holds: (text) => isRouting(bare(text)) },
  tax_number: digitsOnly(1, 14),
  upi_id: { holds: (text) => /^[\w.-]{2,64}@[a-z][a-z0-9.-]{1,63}$/i.test(western(text).replace(/[\s\p{Cf}]/gu, "")) },
};

function tellError(field, sentence) {
  const id = `${field.id}-error`;
  byId(id)?.remove();
  const others = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((name) => name && name !== id);
  if (sentence) {
    const error = Object.assign(document.createElement("p"), { className: "field-error", id, textContent: sentence });
    field.after(error);
    field.setAttribute("aria-invalid", "true");
    others.unshift(id);
  } else field.removeAttribute("aria-invalid");
  if (others.length) field.setAttribute("aria-describedby", others.join(" "));
  else field.removeAttribute("aria-describedby");
}

function showBrand(text) {
  const marks = document.querySelector("[data-brands]");
  if (!marks) return;
  const brand = brandOf(text.replace(/\D/g, ""));
  const mark = brand && marks.querySelector(`.${brand}`);
  if (mark) marks.dataset.brand = brand;
  else delete marks.dataset.brand;
  marks.setAttribute("aria-label", mark ? mark.dataset.name : marks.dataset.brands);
}

// Rewrites a field while somebody types at its end; in the middle of it, rewriting would move the caret away. What was
// pasted is put in order, and checked, when the field is left.
document.addEventListener("input", (event) => {
  const field = event.target, rule = FIELDS[field.id];
  if (!rule) return;
  const text = western(field.value);
  const deleting = event.inputType?.startsWith("delete");
  const tidied = rule.tidy && !deleting && !/[^0-9 ./-]/.test(text);
  if (tidied && field.selectionStart === field.value.length) field.value = rule.tidy(text);
  if (field.id === "number") showBrand(text);
  if (field.getAttribute("aria-invalid") && rule.holds(field.value)) tellError(field);
});
document.addEventListener("change", (event) => {
  const field = event.target, rule = FIELDS[field.id];
  if (!rule) return;
  const text = withoutLabel(field.value).replace(/[\u2010-\u2015\u2212]/g, "-").replace(/\p{Cf}/gu, "");
  if (rule.tidy && text && !/[^0-9 ./-]/.test(text)) field.value = rule.tidy(text);
  if (field.id === "number") showBrand(field.value);
  tellError(field, field.value.trim() && !rule.holds(field.value) ? field.dataset.wrong : null);
});

// --- forms --------------------------------------------------------------------------------------------------------

// After the first press no other one counts. The buttons are switched off a moment later: one that is off already does
// not tell the server that it was the one that was pressed.
function showBusy(form) {
  const buttons = [...form.querySelectorAll("button[data-busy]")];
  if (!buttons.length) return;
  let labels = [];
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (event.submitter?.name === "lang") return;
    if (sent) event.preventDefault();
    sent = true;
    setTimeout(() => {
      if (!sent) return;
      labels = buttons.map((button) => button.textContent);
      for (const button of buttons) {
        button.disabled = true;
        button.textContent = button.dataset.busy;
      }
    });
  });
  const rest = () => {
    sent = false;
    labels.forEach((label, index) => {
      buttons[index].disabled = false;
      if (buttons[index].textContent === buttons[index].dataset.busy) buttons[index].textContent = label;
    });
    labels = [];
  };
  form.addEventListener("rest", rest);
  // A browser that goes back to this page may show it as it was left: the buttons have to work again.
  window.addEventListener("pageshow", rest);
}

// Only the fields of the chosen way to pay are sent. The hidden ones are off, so the browser may check the others.
function sendChosenOnly(form) {
  const methods = form.querySelectorAll("[data-method]");
  if (!methods.length) return;
  const update = () => {
    // A change of the order may have taken the chosen one away.
    if (!form.querySelector("input[name=method]:checked")) {
      (form.querySelector("#method-card") ?? methods[0].querySelector("input[type=radio]")).checked = true;
    }
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

// --- answers of the server: only what they change is replaced --------------------------------------------------------

const partsOf = (root) => [...root.querySelectorAll("[data-part]")];

// What a part is made of, without the token of its forms and the amount on their buttons: these are renewed in place.
function shape(part) {
  const copy = part.cloneNode(true);
  copy.querySelectorAll("input[name=token]").forEach((field) => field.removeAttribute("value"));
  copy.querySelectorAll("button[data-busy]").forEach((button) => { button.textContent = ""; });
  return copy.innerHTML;
}

function renew(part, fresh) {
  const labels = [...fresh.querySelectorAll("button[data-busy]")].map((button) => button.textContent);
  part.querySelectorAll("form").forEach((form) => form.dispatchEvent(new Event("rest")));
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

// Fields of a way to pay move over as they are, with what the answer says of them: nobody looks at what they hold.
function keepTyped(old, next, sent) {
  old.querySelectorAll("input[id], select[id]").forEach((field) => {
    const successor = next.querySelector(`#${field.id}`);
    if (!successor) return;
    if (field.closest("[data-part=payment]")) {
      for (const name of ["aria-invalid", "aria-describedby", "data-wrong"]) {
        if (successor.hasAttribute(name)) field.setAttribute(name, successor.getAttribute(name));
        else field.removeAttribute(name);
      }
      successor.replaceWith(field);
    } else if (unsent(field, sent)) successor.value = field.value;
  });
}

// Puts a new part in the place of the old one, with the focus, the open folds and what was typed meanwhile. The form of
// the details stays open while somebody is at it, and is folded once it was sent.
function replace(part, fresh, sent) {
  const next = document.importNode(fresh, true);
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const folds = [...part.querySelectorAll("details[open]:not(.change) > summary")].map((summary) => summary.textContent);
  next.querySelectorAll("[autofocus]").forEach((element) => element.removeAttribute("autofocus"));
  next.querySelectorAll("details > summary").forEach((summary) => {
    if (folds.includes(summary.textContent)) summary.parentElement.open = true;
  });
  const form = part.querySelector("form[data-change=details]");
  const fold = next.querySelector(".change");
  if (fold && form && !sent.has("saved")) fold.open ||= form.closest("details.change")?.open ?? true;
  keepTyped(part, next, sent);
  part.replaceWith(next);
  start(next);
  if (focused) passFocus(focused, next);
}

function totalInWords() {
  return [...document.querySelector(".sum-total").children].map((part) => part.textContent).join(" ");
}

function showAnswer(page, sent) {
  const total = totalInWords();
  tellTrouble(null);
  for (const part of partsOf(document)) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    const before = served.get(part.dataset.part);
    served.set(part.dataset.part, shape(fresh));
    if (served.get(part.dataset.part) === before) renew(part, fresh);
    else replace(part, fresh, sent);
  }
  document.title = page.title;
  const now = totalInWords();
  if (now !== total) document.querySelector("[data-announce]").textContent = now;
  const frame = page.querySelector("script[data-frame]");
  if (frame) document.dispatchEvent(new CustomEvent("repriced", { detail: frame.dataset.frame }));
}

const parse = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");

// Says what went wrong, and leaves the page as it is.
function tellTrouble(sentence) {
  const notice = document.querySelector("[data-trouble]");
  notice.hidden = !sentence;
  notice.querySelector("p").textContent = sentence ?? "";
  if (sentence) notice.focus();
}

const offline = () => tellTrouble(document.querySelector("[data-trouble]").dataset.trouble);

// A page of an error has one heading and one sentence, which are enough here.
function tellProblem(page) {
  const sentences = [...page.querySelectorAll("main h1, main .lead")].map((part) => part.textContent.trim());
  if (sentences.length) tellTrouble(sentences.join(". "));
  else offline();
}

async function pay(form, sent) {
  const answer = await fetch(form.action, { method: "POST", body: sent, headers: SCRIPTED });
  if (answer.ok && answer.headers.has("location")) return location.assign(answer.headers.get("location"));
  const page = await parse(answer);
  if (page.querySelector("[data-part=payment]")) {
    showAnswer(page, sent);
    document.querySelector("[data-part=notice] [role=alert]")?.focus();
  } else if (answer.status === 410) return location.replace(location.href.split("#")[0]);
  else tellProblem(page);
  form.dispatchEvent(new Event("rest"));
  return null;
}

function holdPayment(held) {
  document.querySelectorAll("[data-part=payment] button[type=submit]").forEach((button) => { button.disabled = held; });
}

async function change(form, name, value) {
  const replaced = !form.isConnected && form.dataset.change === "details";
  const current = replaced ? document.querySelector("form[data-change=details]") : form;
  const sent = new URLSearchParams(new FormData(current));
  if (name) sent.set(name, value);
  const saving = form.dataset.change === "details" && name !== "update";
  holdPayment(true);
  const answer = await fetch(form.action, { method: "POST", body: sent, headers: { accept: "text/html" } });
  const page = await parse(answer);
  if (saving) sent.set("saved", "yes");
  if (page.querySelector("[data-part=payment]")) showAnswer(page, sent);
  else if (answer.status >= 400 && answer.status !== 410) tellProblem(page);
  else return location.assign(answer.url);
  if (saving) goOn();
  current.dispatchEvent(new Event("rest"));
  return null;
}

// After the details comes what is wrong with them, or the payment.
function goOn() {
  const target = byId("detail-errors") ?? byId("pay-heading");
  if (!target) return;
  target.tabIndex = -1;
  target.focus();
}

// What the server says of a field of the details that was left. It has the rules, and stores nothing for the question.
async function check(field) {
  const typed = field.value, form = field.form;
  const sent = new URLSearchParams(new FormData(form));
  sent.set("check", field.name);
  const page = await parse(await fetch(form.action, { method: "POST", body: sent, headers: { accept: "text/html" } }));
  const current = byId(field.id);
  if (page.querySelector("[data-part=details]") && current?.value === typed) {
    tellError(current, page.querySelector(`#${field.id}-error`)?.textContent);
  }
}

// One change after the other, so that the last one is the one that holds.
function queueChange(form, name, value) {
  queue = queue.then(() => change(form, name, value)).catch(() => {
    offline();
    form.dispatchEvent(new Event("rest"));
  }).finally(() => holdPayment(false));
}

const served = new Map(partsOf(document).map((part) => [part.dataset.part, shape(part)]));
let queue = Promise.resolve();
let settling;

// Whoever types the name of a country passes through others: only where they stop is asked for a price.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-change=details]");
  if (!form) return;
  if (!("prices" in event.target.dataset)) {
    // Whoever is offline learns it from the button, not from a field.
    if (event.target.value.trim()) check(event.target).catch(() => {});
    return;
  }
  clearTimeout(settling);
  holdPayment(true);
  settling = setTimeout(() => queueChange(form, "update", "yes"), 300);
});
document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  if (event.defaultPrevented) return;
  const languages = button?.closest(".languages");
  if (languages) {
    if (!document.querySelector("[data-part=payment]")) return;
    event.preventDefault();
    const query = new URLSearchParams(new FormData(languages));
    query.set(button.name, button.value);
    speak(`${languages.action.split("?")[0]}?${query}`).catch(offline);
  } else if (form.dataset.change) {
    event.preventDefault();
    clearTimeout(settling);
    queueChange(form, button?.name, button?.value);
  } else if (form.matches("[data-pay]")) {
    event.preventDefault();
    document.dispatchEvent(new CustomEvent("paying"));
    const sent = new URLSearchParams(new FormData(form));
    if (button?.name) sent.set(button.name, button.value);
    pay(form, sent).catch(() => {
      offline();
      form.dispatchEvent(new Event("rest"));
    });
  }
});

const PIECES = [".test-mode", ".skip", ".panel", "main", ".foot"];

// Shows the page in another language, with all that was typed.
async function speak(address) {
  const page = await parse(await fetch(address, { headers: { accept: "text/html" } }));
  if (!page.querySelector("[data-part=payment]")) return location.assign(address);
  const next = document.importNode(page.body, true);
  next.querySelectorAll("[autofocus]").forEach((element) => element.removeAttribute("autofocus"));
  const folds = next.querySelectorAll("details");
  document.querySelectorAll("details").forEach((fold, index) => { if (folds[index]) folds[index].open = fold.open; });
  keepTyped(document, next, new URLSearchParams());
  document.documentElement.lang = page.documentElement.lang;
  document.documentElement.dir = page.documentElement.dir;
  document.title = page.title;
  // The body stays: the script of a frame measures it, and knows its button.
  for (const piece of PIECES) document.querySelector(piece)?.replaceWith(next.querySelector(piece) ?? "");
  const close = document.querySelector("[data-close]");
  close?.setAttribute("aria-label", next.querySelector("[data-close]").getAttribute("aria-label"));
  partsOf(page).forEach((part) => served.set(part.dataset.part, shape(part)));
  history.replaceState(null, "", address);
  start(document);
  const choice = document.querySelector(".languages details");
  choice.open = false;
  choice.querySelector("summary").focus();
  return null;
}

// --- time -----------------------------------------------------------------------------------------------------------

const language = () => document.documentElement.lang;

// Moments are written in UTC; who has a script reads them by the clock on the wall.
function inLocalTime(moment) {
  const form = { year: "numeric", month: "long", day: "numeric", hour: "numeric", minute: "2-digit", timeZoneName: "short" };
  return new Date(moment).toLocaleString(language(), form);
}

// The time that is left comes from the server: the clock of a customer may be wrong. It shows in the last hour only.
function countDown(part) {
  const end = Date.now() + part.dataset.countdown * 1000;
  const write = (count, unit) => count.toLocaleString(language(), { style: "unit", unit });
  const show = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const time = [write(Math.floor(left / 60), "minute"), write(left % 60, "second")].join(" ");
    part.querySelector("[role=timer]").textContent = left <= 3600 ? part.dataset.text.replace("{time}", time) : "";
    if (!part.isConnected) return;
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
    const next = (await parse(answer)).querySelector("main[data-again]");
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

function start(root) {
  root.querySelectorAll("form").forEach(showBusy);
  root.querySelectorAll("form").forEach(sendChosenOnly);
  root.querySelectorAll("time[data-local]").forEach((time) => { time.textContent = inLocalTime(time.dateTime); });
  root.querySelectorAll("[data-until]").forEach((part) => {
    part.textContent = part.dataset.until.replace("{moment}", inLocalTime(part.dataset.moment));
  });
  root.querySelectorAll("[data-countdown]").forEach(countDown);
  root.querySelectorAll("[data-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  });
  root.querySelectorAll("[data-stay]").forEach(offerToStay);
  if (matchMedia("(min-width: 56rem)").matches) root.querySelectorAll(".order-fold:not(.folds)").forEach((fold) => { fold.open = true; });
  if (byId("number")) showBrand(byId("number").value);
}

start(document);
document.querySelectorAll("[data-again]").forEach((part) => lookAgain(part, part.dataset.again));
