// What happened to what is said of people, as other systems see it.
import { z } from "zod";

/** Told only where somebody listens. `before` and `after` are null where there was, or is, no such tag. */
export const tagged = {
  name: "people.tagged",
  data: z.object({
    tag: z.string(),
    before: z.string().nullable(),
    after: z.string().nullable(),
    kind: z.string(), // rule, statistic, model or hand
    log: z.uuid(), // the line of the tag log
  }),
  offer: {
    zh: "有人的一个标签变了，不管是算出来的还是手动打的",
    en: "A tag of somebody’s changed, whether worked out or set by hand",
    example: {
      tag: "vip",
      before: null,
      after: "gold",
      kind: "hand",
      log: "01989b3e-7c1a-7000-8000-000000000001",
    },
  },
};

const data = z.object({ merge: z.uuid(), from: z.uuid(), into: z.uuid() });
const example = {
  merge: "01989b3e-7c1a-7000-8000-000000000001",
  from: "01989b3e-7c1a-7000-8000-000000000002",
  into: "01989b3e-7c1a-7000-8000-000000000003",
};
export const merged = {
  name: "people.merged",
  data,
  offer: {
    zh: "两位会员确认是同一个人，已合并",
    en: "Two members turned out to be one and were merged",
    example,
  },
};
export const unmerged = {
  name: "people.unmerged",
  data,
  offer: {
    zh: "一次会员合并已撤销",
    en: "A merge of two members was undone",
    example,
  },
};
