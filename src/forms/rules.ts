// Whoever registers tells us what they like to tell, a few questions at a time, and agrees to each use by itself. What a
// visitor types is their own word: it shows them nothing of anybody, and makes them nobody else.
import type { Channel, Purpose, UsePurpose } from "#messages/rules.ts";
import { isConsentKind } from "#messages/rules.ts";
import { isDerived, isDirect, looksDirect } from "#privacy/rules.ts";

export type Text = { zh: string; en: string };
export const fieldTypes = ["text", "choice", "date", "number", "email", "phone", "city"] as const;
export type FieldType = (typeof fieldTypes)[number];
export type Field = {
  name: string;
  type: FieldType;
  label: Text;
  /** Optional unless said. */
  required: boolean;
  /** A due date, what concerns health: asked with an agreement of its own, and kept sealed. */
  sensitive: boolean;
  options: { value: string; label: Text }[]; // of a choice
};
export type ConsentAsked = {
  purpose: Purpose | UsePurpose;
  channel: Channel | "use";
  text: Text;
};
export type Definition = {
  title: Text;
  intro: Text;
  thanks: Text;
  /** How many questions at a time. */
  perStep: number;
  /** What was left blank is asked again after so many days; without a word after 90. */
  againDays?: number | undefined;
  fields: Field[];
  /** Never ticked beforehand, never one for another. */
  consents: ConsentAsked[];
  /** Agreements to mail count once the link in a mail was followed. */
  doubleOptIn: boolean;
};
export const fieldsLimit = 30;
export const againDaysUsual = 90;
export const consentsLimit = 8;
/** An answer is at most so long, in characters as JavaScript counts them; a town's name half of it. */
export const textLimit = 200;
export const cityLimit = 100;
const longestOf = ({ type }: Field): number => (type === "city" ? cityLimit : textLimit);

/** The names of fields that cannot be: two of one name, choices without options, a use that nobody is asked about. */
export function unfitIn(form: Definition): string[] {
  const wrong: string[] = [];
  const names = form.fields.map(({ name }) => name);
  form.fields.forEach(({ name, type, sensitive, options }, i) => {
    if (names.indexOf(name) !== i || pageNames.has(name)) wrong.push(`fields.${i}.name`);
    if ((type === "choice") !== options.length > 0) wrong.push(`fields.${i}.options`);
    if (new Set(options.map(({ value }) => value)).size !== options.length)
      wrong.push(`fields.${i}.options`);
    if (sensitive && !form.consents.some(({ purpose }) => purpose === "sensitive"))
      wrong.push(`fields.${i}.sensitive`);
    // Where the profile keeps a field plain or under its own name, it is of that kind.
    if ((name === "email") !== (type === "email") || (name === "phone") !== (type === "phone"))
      wrong.push(`fields.${i}.type`);
    if (sensitive && (isDerived(name) || isDirect(name))) wrong.push(`fields.${i}.sensitive`);
  });
  const kinds = form.consents.map(({ purpose, channel }) => `${purpose} ${channel}`);
  form.consents.forEach((asked, i) => {
    if (!isConsentKind(asked) || kinds.indexOf(kinds[i]!) !== i) wrong.push(`consents.${i}`);
    if (asked.channel === "email" && !names.includes("email")) wrong.push(`consents.${i}.channel`);
  });
  return wrong;
}

/** What is known of whoever answers. */
export type Known = {
  /** Fields whose answer is there, whoever gave it: in a form, to the shop, in their own profile. */
  known: ReadonlySet<string>;
  /** Fields that they were shown and left blank, with when that was last. */
  blank: ReadonlyMap<string, Date>;
  now: Date;
};
const dayMs = 86_400_000;
/**
 * What is asked next: questions never asked before those left blank, which rest for some days. One that has to be
 * answered rests never.
 */
export function nextFields(form: Definition, { known, blank, now }: Known): Field[] {
  const restMs = (form.againDays ?? againDaysUsual) * dayMs;
  const open = form.fields.filter(({ name }) => !known.has(name));
  const isNew = ({ name, required }: Field) => required || !blank.has(name);
  const rested = open.filter(
    (field) => !isNew(field) && blank.get(field.name)!.getTime() + restMs <= now.getTime(),
  );
  return [...open.filter(isNew), ...rested].slice(0, form.perStep);
}

/** Does this agreement ask for an address that is then to be confirmed? Whoever came with a token has one with the shop. */
export const needsAddress = (
  { doubleOptIn }: Pick<Definition, "doubleOptIn">,
  own: boolean,
  { channel }: Pick<ConsentAsked, "channel">,
): boolean => doubleOptIn && !own && channel === "email";

export type Answers = Readonly<Record<string, string>>;
/** `unknown`: the form has no such question. */
export const wrongs = ["missing", "unfit", "too_long", "needs_consent", "unknown"] as const;
export type Wrong = (typeof wrongs)[number];
export type Judged = {
  values: Record<string, string | number>;
  wrong: Record<string, Wrong>;
};
/** The value of one answer, or undefined where it does not fit. */
function valueOf({ name, type, options }: Field, text: string): string | number | undefined {
  switch (type) {
    case "choice":
      return options.some(({ value }) => value === text) ? text : undefined;
    case "date": {
      if (!/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
      // The 30th of February reads as the 2nd of March.
      const read = new Date(`${text}T00:00:00Z`);
      return !Number.isNaN(read.getTime()) && read.toISOString().startsWith(text)
        ? text
        : undefined;
    }
    case "number": {
      const number = Number(text);
      if (!/^-?\d{1,9}(\.\d{1,4})?$/.test(text)) return undefined;
      const most = name === "birth_month" ? 12 : name === "birth_day" ? 31 : null;
      return most !== null && !(Number.isInteger(number) && number >= 1 && number <= most)
        ? undefined
        : number;
    }
    case "email":
      return /^[^\s@]+@[^\s@]+\.[^\s@.]+$/.test(text) ? text : undefined;
    case "phone":
      return /^\+?\d[\d\s().-]{4,30}$/.test(text) ? text : undefined;
    case "city":
      return looksDirect(text) ? undefined : text;
    case "text":
      return text;
  }
}
/**
 * Reads what was answered. `agreed`: what was ticked now or agreed to before, as "purpose channel". An empty answer is
 * none. Every answer that cannot be taken is named, those to questions that the form does not have too.
 */
export function judge(
  form: Definition,
  answers: Answers,
  known: Known,
  agreed: ReadonlySet<string>,
): Judged {
  const values: Judged["values"] = {};
  const wrong = new Map<string, Wrong>();
  const asked = new Set(nextFields(form, known).map(({ name }) => name));
  const names = new Set([honeypot, ...form.fields.map(({ name }) => name)]);
  for (const name of Object.keys(answers)) if (!names.has(name)) wrong.set(name, "unknown");
  for (const field of form.fields) {
    const text = (answers[field.name] ?? "").normalize("NFC").trim();
    if (text === "") {
      if (field.required && asked.has(field.name)) wrong.set(field.name, "missing");
      continue;
    }
    const value = valueOf(field, text);
    if (text.length > longestOf(field)) wrong.set(field.name, "too_long");
    else if (value === undefined) wrong.set(field.name, "unfit");
    else if (field.sensitive && !agreed.has("sensitive use"))
      wrong.set(field.name, "needs_consent");
    else values[field.name] = value;
  }
  return { values, wrong: Object.fromEntries(wrong) };
}

/**
 * What goes into the log: derived fields plain as traits, other answers that name nobody plain as answers, and the rest
 * sealed. `own`: it came with a person token; without one, what names somebody is a claim.
 */
export function eventOf(
  form: Definition,
  values: Judged["values"],
  { own, emailConfirmed }: { own: boolean; emailConfirmed: boolean },
): {
  traits: Record<string, string | number>;
  answers: Record<string, string | number>;
  direct: Record<string, string>;
} {
  const parted = {
    traits: {} as Record<string, string | number>,
    answers: {} as Record<string, string | number>,
    direct: {} as Record<string, string>,
  };
  for (const { name, type, sensitive } of form.fields) {
    const value = values[name];
    if (value === undefined) continue;
    if (isDirect(name)) {
      const known = own && (name !== "email" || emailConfirmed);
      parted.direct[`${known ? "traits" : "claim"}.${name}`] = String(value);
    } else if (sensitive || type === "text" || looksDirect(String(value)))
      parted.direct[`answer.${name}`] = String(value);
    else if (isDerived(name)) parted.traits[name] = value;
    else parted.answers[name] = value;
  }
  return parted;
}

/** The field no person sees: whoever fills it is a machine. */
export const honeypot = "website";
/** What a page sends beside the answers: no question has such a name, or its answer would be taken for that. */
export const pageFields = ["visitor", "consent", "sending", "version"] as const;
const pageNames: ReadonlySet<string> = new Set([honeypot, ...pageFields]);
/** A body of answers is at most so long. */
export const bodyLimitBytes = 64 * 1024; // twenty answers of 200 Chinese characters, each byte of them written as %E5
/** A link in a mail is good for so long, on the machine's clock. */
export const confirmMs = 7 * 86_400_000;
/** Answers from one address. */
export const answersBrake = { tries: 20, windowMs: 15 * 60_000 };
/** Mails to one address, whoever asks for them. */
export const mailsBrake = { tries: 3, windowMs: 24 * 3_600_000 };

export const words = {
  zh: {
    optional: "选填",
    send: "提交",
    more: "再填几项",
    choose: "请选择",
    agree: "同意事项（逐项自愿勾选）",
    wrong: {
      missing: "请填写这一项。",
      unfit: "这一项填写不正确。",
      too_long: `太长了，最多 ${textLimit} 个字（城市最多 ${cityLimit} 个字）。`,
      unknown: "这张表单里没有这一项，已忽略；再次提交即可。",
      needs_consent: "要保存这一项，请先勾选同意保存敏感信息。",
    },
    fix: "有几项需要修改：",
    busy: "提交得太频繁了，请过一会儿再试。您填写的内容还在下面。",
    complete: "您都填好了，谢谢！",
    mail: "如果您填写了邮箱并同意接收邮件，请查收确认邮件，点开其中的链接后生效。",
    closed: "这张表单已停止收集。",
    confirm: {
      title: "确认接收邮件",
      ask: "点一下，确认这个邮箱属于您，并同意接收您刚才勾选的邮件。",
      button: "确认",
      done: "已确认，谢谢！",
      dead: "这个链接已失效，请重新填写表单。",
    },
  },
  en: {
    optional: "optional",
    send: "Send",
    more: "Tell us more",
    choose: "Please choose",
    agree: "What you agree to (each is up to you)",
    wrong: {
      missing: "Please fill this in.",
      unfit: "This does not look right.",
      too_long: `This is too long: ${textLimit} characters at most, ${cityLimit} for a city.`,
      unknown: "This form does not ask for that. It was left out; just send again.",
      needs_consent: "To let us keep this, first agree that we may keep sensitive details.",
    },
    fix: "A few things to mend:",
    busy: "That was too often. Please try again in a while; what you typed is still here.",
    complete: "You have told us everything. Thank you!",
    mail: "If you gave an e-mail address and agreed to get mail, look for our mail and follow its link. Only then does it count.",
    closed: "This form takes no more answers.",
    confirm: {
      title: "Confirm your address",
      ask: "Confirm that this address is yours and that you want the mail you ticked.",
      button: "Confirm",
      done: "Confirmed. Thank you!",
      dead: "This link no longer works. Please fill in the form again.",
    },
  },
} as const;
export type Language = keyof typeof words;

export const confirmMail = (language: Language, title: string, link: string) =>
  language === "zh"
    ? {
        subject: `请确认您的邮箱：${title}`,
        text: `您好：\n\n有人在“${title}”里填写了这个邮箱，并同意接收邮件。如果是您本人，请在七天内点开下面的链接确认：\n\n${link}\n\n如果不是您本人，请忽略这封邮件，我们不会再给您发信。\n`,
      }
    : {
        subject: `Please confirm your address: ${title}`,
        text: `Hello,\n\nsomebody gave this address in "${title}" and agreed to get mail. If it was you, follow this link within seven days:\n\n${link}\n\nIf it was not you, do nothing: you will hear no more from us.\n`,
      };
