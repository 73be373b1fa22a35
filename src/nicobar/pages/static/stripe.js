// What all pages with Stripe's own fields tell them. The fields are frames of Stripe's: they learn our colours from the page.
"use strict";

function stripeAppearance(theme) {
  const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return {
    theme: dark ? "night" : "stripe",
    variables: {
      colorPrimary: style("--brand"),
      colorBackground: style("--field"),
      colorText: style("--ink"),
      colorDanger: style("--bad"),
      borderRadius: style("--radius"),
    },
  };
}

function stripeWallets(names) {
  const offered = (name) => (names.split(" ").includes(name) ? "auto" : "never");
  return { applePay: offered("applePay"), googlePay: offered("googlePay") };
}
