// Every failure a caller can meet. The code is the contract: status, both sentences and the help page
// hang on it here and nowhere else. A code without its row, or a row without a language, does not compile.
import type { Failure } from "#kernel/http.ts";

export const failures = {
  "request.unauthenticated": { status: 401, zh: "请先登录。", en: "Sign in first." },
  "request.forbidden": { status: 403, zh: "你没有这项权限。", en: "You may not do this." },
  "request.cross_site": {
    status: 403,
    zh: "请求来自别的网站，已拒绝。",
    en: "This request came from another site and was refused.",
  },
  "request.unknown": { status: 404, zh: "没有这个地址。", en: "There is nothing at this address." },
  "request.invalid": { status: 400, zh: "有内容填写不正确。", en: "Some fields are not right." },
  "request.too_large": { status: 413, zh: "请求内容太大。", en: "The request is too large." },
  "request.too_many": {
    status: 429,
    zh: "操作太频繁，请稍后再试。",
    en: "Too many tries. Wait a moment.",
  },
  "request.busy": {
    status: 409,
    zh: "正在处理，请稍后重试。",
    en: "This is in progress. Try again soon.",
  },
  "request.key_reused": {
    status: 422,
    zh: "这个幂等键已用于另一个请求。",
    en: "This idempotency key was used for another request.",
  },
  "request.answered_once": {
    status: 409,
    zh: "结果只显示一次，已经给出过了。",
    en: "The answer is shown once only, and it was.",
  },
  "request.misdirected": {
    status: 421,
    zh: "这里不提供该域名的服务。",
    en: "This server does not answer to that host name.",
  },
  "request.away": {
    status: 503,
    zh: "系统正在恢复，请稍后重试。",
    en: "The system is recovering. Try again soon.",
  },
  "request.broken": { status: 500, zh: "系统出错了。", en: "Something broke on our side." },
} as const satisfies Record<string, Failure>;
