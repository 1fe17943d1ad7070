// The result, and what to do about it, as a shopkeeper would say them. The figures are the report's own; no sentence
// says more than they do.
import type { Because, Decision, Report, Verdict } from "../rules.ts";

export type Lang = "zh" | "en";

const count = (n: number): string => n.toLocaleString("en-US");
const percent = (bp: number): string => `${(bp / 100).toFixed(1)}%`;
/** Points; two decimals where one would read as zero. */
const size = (bp: number): string =>
  bp === 0 ? "0" : (Math.abs(bp) / 100).toFixed(Math.abs(bp) < 10 ? 2 : 1);
/** A minus sign, not a hyphen: it stands as high as the plus. */
const signed = (bp: number): string => (bp === 0 ? "0" : `${bp < 0 ? "−" : "+"}${size(bp)}`);
const higher = (bp: number): string =>
  bp === 0 ? "两组一样" : `实验组${bp > 0 ? "高" : "低"} ${size(bp)} 个百分点`;

const closing: Record<Lang, Record<Verdict, (least: string | null) => string>> = {
  zh: {
    helped: () => "区间不含零：可以说它有效。",
    harmed: () => "区间整个在零以下：它让回来的人变少了。",
    not_shown: (least) =>
      least === null
        ? "区间含零，不能说有效；这样的人数也看不出任何效果。"
        : `区间含零，不能说有效；以这样的人数，要差到约 ${least} 个百分点才看得出来。`,
    too_few: () => "人太少，这个结果不作数。",
    broken_split: () => "两组人数和设定的比例对不上，先查清原因，这个结果不能用。",
  },
  en: {
    helped: () => "The interval leaves out zero: it helped.",
    harmed: () => "The whole interval lies below zero: fewer people came back because of it.",
    not_shown: (least) =>
      least === null
        ? "The interval includes zero, so no effect can be claimed; with so few people none could have been seen."
        : `The interval includes zero, so no effect can be claimed; with this many people it takes about ${least} points to see one.`,
    too_few: () => "There are too few people for this to count.",
    broken_split: () =>
      "The two groups are not of the sizes asked for. Find out why first; this result cannot be used.",
  },
};

/** The result in one or two sentences. */
export function resultSentence({ primary, detectableBp, verdict }: Report, lang: Lang): string {
  const { treated, control, differenceBp, intervalBp } = primary;
  const [low, high] = intervalBp;
  const end = closing[lang][verdict](detectableBp === null ? null : size(detectableBp));
  return lang === "zh"
    ? `实验组 ${count(treated.people)} 人中有 ${count(treated.returned)} 人回来（${percent(treated.rateBp)}），` +
        `对照组 ${count(control.people)} 人中有 ${count(control.returned)} 人（${percent(control.rateBp)}）。` +
        `${higher(differenceBp)}，95% 区间 ${signed(low)} 到 ${signed(high)}。${end}`
    : `${count(treated.returned)} of the ${count(treated.people)} people in the programme came back (${percent(treated.rateBp)}), ` +
        `and ${count(control.returned)} of the ${count(control.people)} held out (${percent(control.rateBp)}). ` +
        `That is a difference of ${signed(differenceBp)} points, 95% interval ${signed(low)} to ${signed(high)}. ${end}`;
}

type Words = (evidence: Decision["evidence"]) => string;
const together = (pooled: Decision["evidence"]["pooled"]): string =>
  pooled ? signed(pooled.intervalBp[1]) : "";

const advices: Record<Lang, Record<Because, Words>> = {
  zh: {
    broken_split: () => "先修好分组，再重新做一次；这一次什么也说明不了。",
    harmed: () => "停下来：它让回来的人变少了。",
    helped: () => "继续做，对照组留着，下次再确认一遍。",
    worth_ruled_out: ({ runs, pooled, worthBp }) =>
      `换个做法：${count(runs)} 次合起来看，最多也就 ${together(pooled)} 个百分点，不到值得做的 ${size(worthBp)} 个百分点。`,
    three_runs_nothing: ({ runs }) => `换个做法：做了 ${count(runs)} 次，没有一次看得出效果。`,
    changed_and_nothing: () => "停下来：换过做法，还是没有看到值得做的效果。",
    not_clear_yet: ({ controlPeople, worthBp, peopleNeeded }) =>
      `再做一次：对照组只有 ${count(controlPeople)} 人，还看不清。` +
      `要看出 ${size(worthBp)} 个百分点，` +
      (peopleNeeded.thisSplit === null
        ? `对半分组要 ${count(peopleNeeded.evenSplit)} 人。`
        : `按现在的比例要 ${count(peopleNeeded.thisSplit)} 人，对半分组要 ${count(peopleNeeded.evenSplit)} 人。`),
  },
  en: {
    broken_split: () => "Mend the split and run it again; this run tells nothing.",
    harmed: () => "Stop: fewer people came back because of it.",
    helped: () => "Go on, and keep the control group so that the next run can confirm it.",
    worth_ruled_out: ({ runs, pooled, worthBp }) =>
      `Change it: over ${runs === 1 ? "this run" : `${count(runs)} runs together`} it is worth ${together(pooled)} points at best, ` +
      `less than the ${size(worthBp)} that would be worth having.`,
    three_runs_nothing: ({ runs }) => `Change it: ${count(runs)} runs, and none showed an effect.`,
    changed_and_nothing: () =>
      "Stop: it was changed once already, and still shows nothing worth having.",
    not_clear_yet: ({ controlPeople, worthBp, peopleNeeded }) =>
      `Run it again: a control group of ${count(controlPeople)} is too small to tell. ` +
      `To see ${size(worthBp)} points takes ` +
      (peopleNeeded.thisSplit === null
        ? `${count(peopleNeeded.evenSplit)} people, split evenly.`
        : `${count(peopleNeeded.thisSplit)} people at this split, or ${count(peopleNeeded.evenSplit)} split evenly.`),
  },
};

/** What to do next, and why, in one or two sentences. */
export const adviceSentence = (decision: Decision, lang: Lang): string =>
  advices[lang][decision.because](decision.evidence);
