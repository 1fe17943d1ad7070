// What is wrong with a request, field by field, in words: each limit with its number and how much was given. Never what
// was given itself: it may be somebody's.
import type { z } from "zod";
import type { Data } from "./result.ts";

type Said = { zh: string; en: string };
/** So many of them are put in words; the fields are all named. */
const wordsLimit = 5;

/** The fields that a validator found wrong; what is wrong as a whole is "body". */
export const fieldsOf = (error: z.ZodError): string[] => [
  ...new Set(
    error.issues.flatMap((i) => {
      const at = i.path.map(String).join(".");
      return i.code === "unrecognized_keys"
        ? i.keys.map((k) => (at ? `${at}.${k}` : k))
        : at || "body";
    }),
  ),
];

/** A refusal of `raw`: the fields, and why each is refused. A custom check says its words as `params: {zh, en}`. */
export function invalid(error: z.ZodError, raw: unknown): Data & { fields: string[] } {
  const said = error.issues.slice(0, wordsLimit).map((issue) => {
    const { zh, en } = whyOf(issue, at(raw, issue.path));
    const [field] = fieldsOf({ issues: [issue] } as z.ZodError);
    return { zh: `${field}：${zh}`, en: `${field}: ${en}` };
  });
  return {
    fields: fieldsOf(error),
    detail: {
      zh: said.map(({ zh }) => zh).join("；"),
      en: said.map(({ en }) => en).join("; "),
    },
  };
}
const at = (raw: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, part) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, part)
        ? (value as Record<PropertyKey, unknown>)[part]
        : undefined,
    raw,
  );

function whyOf(issue: z.core.$ZodIssue, given: unknown): Said {
  switch (issue.code) {
    case "too_big":
      return sized(issue.origin, Number(issue.maximum), "most", given);
    case "too_small":
      return sized(issue.origin, Number(issue.minimum), "least", given);
    case "invalid_type":
      if (given === undefined) return { zh: "没有填写", en: "missing" };
      return expected[issue.expected] ?? { zh: "类型不对", en: "not of the right type" };
    case "invalid_value": {
      const values = issue.values.slice(0, 12).map(String);
      const more = issue.values.length > values.length ? ", …" : "";
      return {
        zh: `只能是 ${values.join("、")}${more && "……"}`,
        en: `one of ${values.join(", ")}${more}`,
      };
    }
    case "unrecognized_keys":
      return { zh: "没有这一项", en: "not known here" };
    case "custom": {
      const { zh, en } = (issue.params ?? {}) as Partial<Said>;
      if (zh && en) return { zh, en };
      return { zh: "不正确", en: "not right" };
    }
    default:
      return { zh: "格式不对", en: "not in the right form" };
  }
}
const expected: Record<string, Said> = {
  int: { zh: "应为整数", en: "should be a whole number" },
  number: { zh: "应为数字", en: "should be a number" },
  string: { zh: "应为文字", en: "should be text" },
  boolean: { zh: "应为是或否", en: "should be true or false" },
  array: { zh: "应为列表", en: "should be a list" },
  object: { zh: "应为对象", en: "should be an object" },
};
const units: Record<string, { zh: string; en: string }> = {
  array: { zh: "项", en: "items" },
  set: { zh: "项", en: "items" },
  string: { zh: "个字", en: "characters" },
};
function sized(origin: string, limit: number, side: "most" | "least", given: unknown): Said {
  const unit = units[origin];
  const most = side === "most";
  if (!unit)
    return {
      zh: `${most ? "最大" : "最小"} ${limit}`,
      en: `${limit} or ${most ? "less" : "more"}`,
    };
  if (!most && limit === 1) return { zh: "不能为空", en: "may not be empty" };
  const length = Array.isArray(given) || typeof given === "string" ? given.length : null;
  return {
    zh: `${most ? "最多" : "最少"} ${limit} ${unit.zh}${length === null ? "" : `，给了 ${length} ${unit.zh}`}`,
    en: `at ${side} ${limit} ${unit.en}${length === null ? "" : `, ${length} given`}`,
  };
}
