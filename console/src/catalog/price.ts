/** A unit price as a decimal of 4 places, in its own currency, with the places that it needs. */
export const price = (decimal: string, currency: string, language: "zh" | "en"): string =>
  new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en-GB", {
    style: "currency",
    currency,
    currencyDisplay: "narrowSymbol",
    maximumFractionDigits: 4,
  }).format(decimal as Intl.StringNumericLiteral);
