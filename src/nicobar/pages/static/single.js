// A session that is told and paid with one form, in Stripe's own fields: they are there before the payment is, and what
// is typed into them stays while the form is sent. Where this does not work, the form leads on as without scripts.
"use strict";

(() => {
  const SCRIPTED = { accept: "text/html", "x-nicobar-script": "1" };
  const form = document.querySelector("[data-session]");
  const problem = document.querySelector("[data-problem]");
  let stripe, elements, mount;
  let ready = false;
  let busy = false;

  const cardButton = () => mount.closest(".method-panel, .paying").querySelector("button.button");
  const cardIsChosen = () => form.querySelector("input[name=method]:checked, input[name=method][type=hidden]")?.value === "card";

  // All of it has to agree with what the server will order of Stripe.
  function terms() {
    const amount = Number(mount.dataset.amount), currency = mount.dataset.currency;
    const keeps = "keeps" in mount.dataset || form.querySelector("#save")?.checked;
    const common = { currency, setupFutureUsage: keeps ? "off_session" : null };
    return amount ? { mode: "payment", amount, ...common } : { mode: "setup", ...common };
  }

  function tell(sentence) {
    problem.querySelector("p").textContent = sentence ?? "";
    problem.hidden = !sentence;
    if (sentence) problem.focus();
  }

  function label(paying = false) {
    const button = cardButton();
    button.textContent = paying ? button.dataset.busy : mount.dataset.submit;
    button.disabled = busy;
  }

  function rest() {
    busy = false;
    label();
  }

  function show() {
    mount = form.querySelector("[data-mount]");
    ready = false;
    if (!mount || !window.Stripe) return;
    stripe ??= window.Stripe(mount.dataset.key, { locale: mount.dataset.language });
    elements = stripe.elements({ ...terms(), paymentMethodTypes: ["card"], appearance: stripeAppearance(mount.dataset.theme) });
    const fields = elements.create("payment", { wallets: stripeWallets(mount.dataset.wallets) });
    const lead = mount.parentElement.querySelector("[data-lead]");
    fields.on("ready", () => {
      ready = true;
      lead.hidden = true;
      label();
    });
    fields.on("loaderror", () => {
      ready = false;
      mount.hidden = true;
      lead.hidden = false;
    });
    mount.hidden = false;
    fields.mount(mount);
  }

  // --- answers of the server: all but Stripe's fields is replaced --------------------------------------------------

  const copy = (node) => document.importNode(node, true);

  // Keeps the focus, the open folds, and what was typed since the form was sent.
  function renewPart(part, next, sent) {
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const open = [...part.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
    const typed = [...part.querySelectorAll("input:not([type=hidden], [type=checkbox]), select")].filter(
      (field) => field.id && field.value !== sent.get(field.name));
    part.replaceChildren(...copy(next).childNodes);
    part.querySelectorAll("[autofocus]").forEach((element) => element.removeAttribute("autofocus"));
    part.querySelectorAll("details > summary").forEach((summary) => {
      if (open.includes(summary.textContent)) summary.parentElement.open = true;
    });
    for (const field of typed) {
      const successor = part.querySelector(`#${field.id}`);
      if (successor) successor.value = field.value;
    }
    if (!focused) return;
    const named = focused.name && part.querySelector(`[name="${focused.name}"]`);
    ((focused.id && part.querySelector(`#${focused.id}`)) || named || part.querySelector("summary"))?.focus();
  }

  // Moving Stripe's fields would empty them, so the ways to pay are renewed around them.
  function renewWays(page) {
    const place = page.querySelector(".paying [data-mount]"), fold = page.querySelector(".paying .more-methods");
    const kept = mount?.closest(".method"), next = place?.closest(".method");
    const list = kept?.parentElement;
    const inPlace = place && mount && !kept === !next && !kept?.closest(".more-methods") && !next?.closest(".more-methods");
    if (!inPlace) return false;
    Object.assign(mount.dataset, { ...place.dataset });
    if (!("keeps" in place.dataset)) delete mount.dataset.keeps;
    if (!kept) return true;
    for (const other of [...list.children]) if (other !== kept) other.remove();
    const others = [...next.parentElement.children], at = others.indexOf(next);
    others.slice(0, at).forEach((other) => list.insertBefore(copy(other), kept));
    others.slice(at + 1).forEach((other) => list.append(copy(other)));
    form.querySelector(".more-methods")?.remove();
    if (fold) list.after(copy(fold));
    return true;
  }

  function renew(page, sent) {
    const total = () => [...document.querySelector(".sum-total").children].map((part) => part.textContent).join(" ");
    const before = total();
    if (!renewWays(page)) return false;
    document.title = page.title;
    for (const name of ["[data-part=order]", "[data-fresh=notices]", "[data-fresh=details]"]) {
      renewPart(document.querySelector(name), page.querySelector(name), sent);
    }
    elements.update(terms());
    const frame = page.querySelector("script[data-frame]");
    if (frame) document.dispatchEvent(new CustomEvent("repriced", { detail: frame.dataset.frame }));
    if (total() !== before) document.querySelector("[data-announce]").textContent = total();
    return true;
  }

  // Ends as "gone" when another page follows.
  function go(address) {
    location.assign(address);
    return "gone";
  }

  async function send(name, value) {
    const sent = new URLSearchParams(new FormData(form));
    sent.set(name, value);
    const answer = await fetch(form.action, { method: "POST", body: sent, headers: SCRIPTED });
    return answer.headers.get("content-type")?.startsWith("application/json") ? confirm(await answer.json()) : take(answer, sent);
  }

  async function take(answer, sent) {
    if (answer.headers.has("location")) return go(answer.headers.get("location"));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!page.querySelector("[data-session]")) {
      if (answer.status === 410) return go(location.href); // it has ended, and the page says so
      return tell([...page.querySelectorAll("main h1, main .lead")].map((part) => part.textContent.trim()).join(". "));
    }
    if (!renew(page, sent)) return leave("update", "yes"); // another kind of form, whose page begins anew
    const wrongCode = document.querySelector("#code[aria-invalid]");
    (document.querySelector("[data-fresh=notices] [role=alert]") ?? wrongCode)?.focus();
    return null;
  }

  // Sends the form as the browser does.
  function leave(name, value) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    form.submit();
    return "gone";
  }

  // The payment's page says what became of it, and has the fields once more where nothing did.
  async function confirm({ client_secret: clientSecret, return_url: returnUrl }) {
    for (const name of ["told", "paying"]) document.dispatchEvent(new CustomEvent(name));
    const how = terms().mode === "setup" ? "confirmSetup" : "confirmPayment";
    const { error } = await stripe[how]({ elements, clientSecret, confirmParams: { return_url: returnUrl } });
    return error ? go(returnUrl) : "gone";
  }

  async function pay() {
    const { error } = await elements.submit(); // before anything else: wallets open for the press alone
    return error ? tell(error.message) : send("in_place", "yes");
  }

  // Before any other listener: what is done here is done by nobody else.
  document.addEventListener("submit", (event) => {
    if (event.target !== form) return;
    const button = event.submitter;
    if (!ready || button?.name === "lang" || (!button?.name && !cardIsChosen())) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (busy) return;
    busy = true;
    tell(null);
    const asked = button?.name ? send(button.name, button.value) : pay();
    label(!button?.name);
    asked.then((end) => { if (end !== "gone") rest(); }).catch(() => {
      rest();
      tell(problem.dataset.offline);
    });
  }, true);

  form.addEventListener("change", (event) => { if (event.target.id === "save" && ready) elements.update(terms()); });

  // Whoever comes back sees the page as it is now.
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  show();
})();
