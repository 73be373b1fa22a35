// Speaks for the payment page while it stands in a frame of the seller's page: messages, size, and the way out.
// Every message goes to origins that the seller has allowed, and to no other; without any there is nobody to tell.
"use strict";

const RESIZING = "[dodo-iframe-resize]";
const frame = JSON.parse(document.currentScript.dataset.frame);

// The browser knows the page around this one, or the address of the first visit names it. A browser that tells
// neither delivers a message only where its target is right, so every allowed origin is tried.
function parents() {
  const named = [window.location.ancestorOrigins?.[0], document.referrer && new URL(document.referrer).origin];
  const known = named.find((origin) => frame.parents.includes(origin));
  return known ? [known] : frame.parents;
}

const targets = window.parent === window ? [] : parents();

function post(message) {
  targets.forEach((target) => window.parent.postMessage(message, target));
}

function tell([eventType, data]) {
  post({ event_type: eventType, data });
}

function size() {
  const box = document.documentElement.getBoundingClientRect();
  post({ kind: RESIZING, type: "size", height: Math.ceil(box.height), width: Math.ceil(box.width) });
}

// A frame of no height is never painted, so the first size is measured at once and not left to an observer.
function keepSize() {
  window.addEventListener("message", (event) => {
    const trusted = event.source === window.parent && frame.parents.includes(event.origin);
    if (!trusted || event.data?.kind !== RESIZING) return;
    if (event.data.type === "parent-ping") post({ kind: RESIZING, type: "child-ready" });
    size();
  });
  post({ kind: RESIZING, type: "child-ready" });
  size();
  new ResizeObserver(size).observe(document.body);
}

function offerToClose() {
  const button = document.querySelector("[data-close]");
  const close = () => tell(["checkout.closed", {}]);
  button.hidden = false;
  button.addEventListener("click", close);
  window.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) close();
  });
}

// The frame must not show the seller's page within the seller's page, and may not replace it: it asks for that.
function leaveThroughParent(event) {
  const link = event.target.closest("a[href]");
  if (!link || link.origin === window.location.origin || link.protocol === "mailto:") return;
  event.preventDefault();
  tell([frame.leave, { message: { redirect_to: link.href } }]);
}

// A session's form is also sent to be priced again, by buttons with a name; a second press of the others is stopped.
function tellOfForm(event) {
  const { change, session } = event.target.dataset;
  const goesOn = session !== undefined && !event.submitter?.name && !event.defaultPrevented;
  if (change === "details" || goesOn) tellOfDetails();
}

function tellOfDetails() {
  tell(["checkout.customer_details_submitted", {}]);
}

if (targets.length > 0) {
  if (frame.kind === "inline") keepSize();
  else offerToClose();
  frame.events.forEach(tell);
  document.addEventListener("submit", tellOfForm);
  document.addEventListener("told", tellOfDetails);
  document.addEventListener("paying", () => tell(["checkout.pay_button_clicked", {}]));
  document.addEventListener("repriced", (event) => JSON.parse(event.detail).events.forEach(tell));
  document.addEventListener("click", leaveThroughParent);
  // Browsers leave `autofocus` undone in a frame. After the first page the customer is in here, and may be led.
  if (!frame.events.some(([name]) => name === "checkout.opened")) document.querySelector("[autofocus]")?.focus();
  const leaving = frame.later && window.setTimeout(() => tell(frame.later.event), frame.later.seconds * 1000);
  document.addEventListener("stay", () => window.clearTimeout(leaving));
}
