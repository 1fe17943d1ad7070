// Numbers, days and money as a reader of the chosen language writes them, in the shop's time zone.
import type { Language } from "./language.ts";

export type Format = ReturnType<typeof formats>;

/** A minus sign, not a hyphen: it stands as high as the plus. */
const minus = (text: string): string => text.replace("-", "−");
const locales = { zh: "zh-CN", en: "en-GB" } as const;

export function formats(language: Language, timeZone: string, shopCurrency: string) {
  const locale = locales[language];
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const decimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
  const percent = (digits: number) =>
    new Intl.NumberFormat(locale, {
      style: "percent",
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  const [percent0, percent1] = [percent(0), percent(1)];
  const signed = new Intl.NumberFormat(locale, {
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
    signDisplay: "exceptZero",
  });
  const day = new Intl.DateTimeFormat(locale, { timeZone: "UTC", dateStyle: "medium" });
  const monthOf = new Intl.DateTimeFormat(locale, {
    timeZone: "UTC",
    year: "numeric",
    month: "short",
  });
  const dayAt = new Intl.DateTimeFormat(locale, { timeZone, dateStyle: "medium" });
  const at = new Intl.DateTimeFormat(locale, { timeZone, dateStyle: "medium", timeStyle: "short" });
  const monies = new Map<string, { format: Intl.NumberFormat; digits: number }>();
  const moneyIn = (currency: string) => {
    const known = monies.get(currency);
    if (known) return known;
    const format = new Intl.NumberFormat(locale, {
      style: "currency",
      currency,
      currencyDisplay: "narrowSymbol",
    });
    const made = { format, digits: format.resolvedOptions().maximumFractionDigits ?? 2 };
    monies.set(currency, made);
    return made;
  };
  /** 12345 with 2 digits is "123.45": exact, also beyond 2^53. */
  const majorText = (minor: string, digits: number) => {
    const sign = minor.startsWith("-") ? "-" : "";
    const text = minor.replace("-", "").padStart(digits + 1, "0");
    if (digits === 0) return sign + text;
    return `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`;
  };

  return {
    language,
    timeZone,
    /** The shop's. */
    currency: shopCurrency,
    number: (value: number) => whole.format(value),
    decimal: (value: number) => decimal.format(value),
    /** Basis points as a percentage. */
    share: (bp: number) => percent1.format(bp / 10_000),
    /** 0 to 1 as a percentage. */
    part: (value: number) => percent0.format(value),
    /** A difference of two rates, in basis points, as percentage points without their word. */
    points: (bp: number) => minus(signed.format(bp / 100)),
    /** Whole minor units of a currency, the shop's unless told otherwise. */
    money: (minor: string | number, currency = shopCurrency) => {
      const { format, digits } = moneyIn(currency);
      return minus(format.format(majorText(String(minor), digits) as Intl.StringNumericLiteral));
    },
    /** An ISO day. */
    day: (isoDay: string) => day.format(new Date(`${isoDay}T00:00:00Z`)),
    /** "2010-12". */
    month: (isoMonth: string) => monthOf.format(new Date(`${isoMonth}-01T00:00:00Z`)),
    /** The day of an instant where the shop is. */
    dayOf: (instant: string) => dayAt.format(new Date(instant)),
    at: (instant: string) => at.format(new Date(instant)),
  };
}
