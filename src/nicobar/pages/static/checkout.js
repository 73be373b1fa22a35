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

function showBusy(form) {
  const button = form.querySelector("button[data-busy]");
  if (!button) return;
  const label = button.textContent;
  form.addEventListener("submit", (event) => {
    if (button.disabled) event.preventDefault();
    button.disabled = true;
    button.textContent = button.dataset.busy;
  });
  // A browser that goes back to this page may show it as it was left: the button has to work again.
  window.addEventListener("pageshow", () => {
    button.disabled = false;
    button.textContent = label;
  });
}

keepTidy("number", group);
keepTidy("expiry", monthAndYear);
document.querySelectorAll("form").forEach(showBusy);
document.querySelectorAll("[data-print]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
});
