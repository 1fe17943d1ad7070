// What was learned, read back in words. Figures stand in the sentence, so that it explains itself.
import { horizonDays, type Learned } from "../rules.ts";
import { levels, stages, type Stage, type StageWhy, type Thresholds } from "./lifecycle.ts";
import { stageNames, type Sentence } from "./names.ts";
import type { Cell } from "./rfm.ts";

const days = (n: number): string => `${n} ${n === 1 ? "day" : "days"}`;
const percent = (share: number): string => `${Math.round(share * 100)}%`;
const people = (n: number): string => (n === 1 ? "1 customer" : `${n} customers`);

/** Why the stages begin where they begin. */
export function thresholdsSentence(t: Thresholds): Sentence {
  const { newForDays, dormantAfterDays, lostAfterDays, curve } = t;
  const from = {
    zh: `依据 ${curve.closed} 段以再次购买结束的间隔，和 ${curve.open} 段尚未结束的间隔（含只买过一次的人）。`,
    en: `Learned from ${curve.closed} gaps that ended in a purchase and ${curve.open} still open, one-time buyers included.`,
  };
  if (dormantAfterDays === undefined)
    return {
      zh: `订单还太少，看不出多久没买算沉睡。${from.zh}`,
      en: `There are too few orders to tell how long a silence is unusual. ${from.en}`,
    };
  const fresh =
    newForDays === undefined
      ? { zh: "", en: "" }
      : {
          zh: `首次购买后 ${newForDays} 天内算新客。`,
          en: `A first-time buyer is new for ${days(newForDays)}. `,
        };
  const late =
    lostAfterDays === undefined
      ? {
          zh: `多久算流失，观察的时间还不够长。`,
          en: `We have not watched for long enough to say when somebody is lost. `,
        }
      : {
          zh: `${percent(levels.lost)} 在 ${lostAfterDays} 天内回来，再不来算流失。`,
          en: `${percent(levels.lost)} are back within ${days(lostAfterDays)}, and whoever is not counts as lost. `,
        };
  return {
    zh: `会回来的客人里，${percent(levels.dormant)} 在 ${dormantAfterDays} 天内回来，超过就算沉睡；${late.zh}${fresh.zh}${from.zh}`,
    en: `Of those who come back, ${percent(levels.dormant)} are back within ${days(dormantAfterDays)}; beyond that a customer is dormant. ${late.en}${fresh.en}${from.en}`,
  };
}

/** Why somebody came to a stage: an order, or a silence longer than usual. */
export function changeSentence(
  from: Stage | null,
  to: Stage,
  why: Partial<StageWhy>,
  byEvent: boolean,
): Sentence {
  const { silentDays = 0, purchaseDays = 1, cameBackAfterDays } = why;
  const [here, there] = [from && stageNames[from], stageNames[to]];
  const step = {
    zh: here ? `由${here.zh}转为${there.zh}` : `首次判定为${there.zh}`,
    en: here ? `Went from ${here.en} to ${there.en}` : `First seen as ${there.en}`,
  };
  if (byEvent && cameBackAfterDays !== undefined && to === "active")
    return {
      zh: `${step.zh}：隔了 ${cameBackAfterDays} 天又来下单。`,
      en: `${step.en}: ordered again after ${days(cameBackAfterDays)}.`,
    };
  if (byEvent)
    return {
      zh: `${step.zh}：下了订单，至今共在 ${purchaseDays} 天买过。`,
      en: `${step.en}: placed an order, with purchases on ${days(purchaseDays)} so far.`,
    };
  // Time alone only leads on to the next stage: whoever goes back does so by new thresholds.
  if (from && stages.indexOf(to) < stages.indexOf(from)) return relearned(step, to, why);
  const limit = to === "lost" ? why.lostAfterDays : why.dormantAfterDays;
  if ((to === "lost" || to === "dormant") && limit !== undefined)
    return {
      zh: `${step.zh}：已 ${silentDays} 天没有购买，超过了 ${limit} 天。`,
      en: `${step.en}: no purchase for ${days(silentDays)}, more than ${limit}.`,
    };
  return {
    zh: `${step.zh}：距上次购买 ${silentDays} 天，共在 ${purchaseDays} 天买过。`,
    en: `${step.en}: last purchase ${days(silentDays)} ago, purchases on ${days(purchaseDays)}.`,
  };
}

function relearned(step: Sentence, to: Stage, why: Partial<StageWhy>): Sentence {
  const { silentDays = 0, newForDays, dormantAfterDays, lostAfterDays } = why;
  const limit = {
    new: newForDays,
    active: dormantAfterDays,
    dormant: lostAfterDays,
    lost: undefined,
  };
  const until = limit[to];
  return {
    zh: `${step.zh}：分界重新学习过，${until === undefined ? "" : `现为 ${until} 天，`}距上次购买 ${silentDays} 天。`,
    en: `${step.en}: the thresholds were learned anew${until === undefined ? "" : `, this one now at ${days(until)}`}; last purchase ${days(silentDays)} ago.`,
  };
}

/** What a square of the matrix means in this shop. */
export function cellSentence({ people: n, recencyDays, orderCount }: Cell): Sentence {
  const empty = ({
    least = 0,
    most = Infinity,
  }: {
    least?: number | undefined;
    most?: number | undefined;
  }) => least > most;
  if (empty(recencyDays) || empty(orderCount))
    return {
      zh: `${n} 人：本店的分界重合，没有人能落在这一格。`,
      en: `${people(n)}: two bounds of this shop are the same, so that nobody can stand here.`,
    };
  const { least: from = 0, most: to } = recencyDays;
  const ago =
    to === undefined
      ? { zh: `${from} 天前或更早`, en: `${days(from)} ago or earlier` }
      : from === to
        ? { zh: `${to} 天前`, en: `${days(to)} ago` }
        : { zh: `${from} 到 ${to} 天前`, en: `${from} to ${days(to)} ago` };
  const { least: few = 1, most: many } = orderCount;
  const times =
    many === undefined
      ? { zh: `${few} 单或更多`, en: `${few} or more orders` }
      : few === many
        ? { zh: `${few} 单`, en: few === 1 ? "1 order" : `${few} orders` }
        : { zh: `${few} 到 ${many} 单`, en: `${few} to ${many} orders` };
  return {
    zh: `${n} 人：上次购买在 ${ago.zh}，共下过 ${times.zh}。`,
    en: `${people(n)}: last purchase ${ago.en}, ${times.en} in all.`,
  };
}

/** Which model the orders bear, and what is shown because of it. */
export function outlookSentence({ buying }: Learned): Sentence {
  if (buying.model === "none")
    return {
      zh: `只有 ${buying.people} 位客人、${buying.repeats} 次复购，还不足以预测。`,
      en: `With ${people(buying.people)} and ${buying.repeats} repeat purchases there is too little to predict from.`,
    };
  if (buying.model === "nbd")
    return {
      zh: `这些订单里看不出有人彻底离开（BG/NBD 的流失部分退化），因此不显示“是否还在”的概率，改为显示未来 ${horizonDays} 天下单的概率。`,
      en: `These orders show nobody leaving for good (the dropout part of BG/NBD is degenerate), so no chance of being “alive” is shown; the chance of an order within ${horizonDays} days stands in its place.`,
    };
  const gone = percent(buying.evidence.goneShare);
  return {
    zh: `从订单可以看出约 ${gone} 的客人已经离开，因此除了未来 ${horizonDays} 天下单的概率，也显示“还在”的概率。`,
    en: `The orders show that about ${gone} of customers have left, so beside the chance of an order within ${horizonDays} days the chance of being “alive” is shown.`,
  };
}
