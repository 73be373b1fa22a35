// Shows Stripe's own fields and sends the customer on. What is typed into them stays between the browser and Stripe.
"use strict";

const form = document.querySelector("[data-fields]");
const button = form.querySelector("button");
const problem = document.querySelector("[data-problem]");
const label = button.textContent;

function show(sentence) {
  problem.querySelector("p").textContent = sentence;
  problem.hidden = false;
  problem.focus();
}

function busy(yes) {
  button.disabled = yes;
  button.textContent = yes ? button.dataset.busy : label;
}

function start() {
  const stripe = window.Stripe(form.dataset.key, { locale: form.dataset.language });
  const elements = stripe.elements({ clientSecret: form.dataset.secret, appearance: stripeAppearance(form.dataset.theme) });
  const fields = elements.create("payment", { wallets: stripeWallets(form.dataset.wallets) });
  fields.on("ready", () => busy(false));
  fields.on("loaderror", () => {
    form.hidden = true;
    show(problem.dataset.unloaded);
  });
  form.hidden = false;
  fields.mount(form.querySelector("[data-mount]"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    busy(true);
    problem.hidden = true;
    const confirm = form.dataset.keeps ? "confirmSetup" : "confirmPayment";
    const { error } = await stripe[confirm]({ elements, confirmParams: { return_url: form.dataset.return } });
    if (!error) return; // the browser is on its way
    // A decline ends this attempt, and the payment's page says why. A mistake in a field can be mended here.
    const intent = error.payment_intent || error.setup_intent;
    const declined = intent && (intent.last_payment_error || intent.last_setup_error);
    if (intent && (declined || intent.status !== "requires_payment_method")) {
      location.assign(form.dataset.return);
    } else {
      busy(false);
      show(error.message);
    }
  });
}

if (window.Stripe) start();
else show(problem.dataset.unloaded);
