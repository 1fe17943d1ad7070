// What stages and RFM segments are called, wherever they are shown.
import type { Stage } from "./lifecycle.ts";
import type { RfmSegment } from "./rfm.ts";

export type Sentence = { zh: string; en: string };

export const stageNames: Record<Stage, Sentence> = {
  new: { zh: "新客", en: "new" },
  active: { zh: "活跃", en: "active" },
  dormant: { zh: "沉睡", en: "dormant" },
  lost: { zh: "流失", en: "lost" },
};
export const segmentNames: Record<RfmSegment, Sentence> = {
  champions: { zh: "核心客户", en: "Champions" },
  loyal: { zh: "忠诚客户", en: "Loyal" },
  new: { zh: "新来的客户", en: "New" },
  promising: { zh: "有苗头的客户", en: "Promising" },
  potential_loyalist: { zh: "有望忠诚的客户", en: "Potential loyalists" },
  need_attention: { zh: "需要关心的客户", en: "Need attention" },
  about_to_sleep: { zh: "快要沉睡的客户", en: "About to sleep" },
  cant_lose: { zh: "不能失去的客户", en: "Can't lose" },
  at_risk: { zh: "可能流失的客户", en: "At risk" },
  lost: { zh: "走远的客户", en: "Lost" },
  others: { zh: "其他客户", en: "Others" },
};
