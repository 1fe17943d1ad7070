// What the terminal says. Chinese is the source; English has the same sentences, or it does not compile.
import type { ImportCounts } from "#exchange/import.ts";

const number = (n: number) => n.toLocaleString("en");
const zh = {
  starting: "正在启动留客…",
  demoBegins: "数据库是空的：先用一份真实的订单演示一遍（UCI Online Retail，CC BY 4.0）。",
  importing: (c: ImportCounts, of: number, perSecond: number, left: number) =>
    `导入 ${number(c.lines)}/${number(of)} 行 · 每秒 ${number(perSecond)} 行 · 还需约 ${left} 秒`,
  knowing: "认识客人：生命周期、RFM、预计订单…",
  deciding: "选出沉睡且值得挽回的客人，为每人挑三样东西…",
  acting: "八成发券和消息，两成留作对照…",
  replaying: (c: ImportCounts, of: number, perSecond: number, left: number) =>
    `重放之后三个月的订单 ${number(c.lines)}/${number(of)} 行 · 每秒 ${number(perSecond)} 行 · 还需约 ${left} 秒`,
  badTrust: (said: string) => `--trust 只能是 shop 或 page，不能是“${said}”。`,
  badTime: (said: string) =>
    `--from 和 --until 要写成日期（2026-03-01）、店里的钟点（2026-03-01 10:00）或带时区的时刻（2026-03-01T10:00:00+08:00），看不懂“${said}”。`,
  interrupted: "已停下。再次启动会从这里继续。",
  table: {
    lines: "订单行",
    known: "有名有姓的销售",
    people: "客人",
    orders: "订单",
    sold: "销售额",
    exact: "按文件单价计",
    stages: "生命周期",
    new: "新客",
    active: "活跃",
    dormant: "沉睡",
    lost: "流失",
    result: "挽回结果",
    decision: "下一步",
    clock: "店铺时间",
  },
  console: (url: string) => `控制台：${url}`,
  owner: (url: string) => `还没有所有者。请在 15 分钟内打开此地址设置密码（只能用一次）：\n${url}`,
  ownerAgain: (url: string) => `请在 15 分钟内打开此地址设置所有者密码（只能用一次）：\n${url}`,
  hasOwner: "已经有所有者了。确实要再开一个地址，请加 --force。",
  empty: (url: string) =>
    `这里还没有数据。在控制台“平台 · API 密钥”建一个服务端密钥，把订单发到 ${url}/v1/orders/lines，或运行 npm run liuke -- import orders 文件 --map 对照表.json。`,
  ready: (ms: number) => `已就绪（${(ms / 1000).toFixed(1)} 秒）。按 Ctrl-C 停止。`,
  stopping: "正在停止…",
  importedBefore: "这个文件以前已经导入过，这次没有新增。当时的结果：",
  imported: (c: ImportCounts) =>
    `读入 ${number(c.lines)} 行：收下 ${number(c.accepted)}，拒收 ${number(c.rejected)}，重复 ${number(c.doubles)}，时间范围外 ${number(c.outside)}。`,
  rebuilt: (n: number) => `已重新算出（${number(n)}）。`,
  demoNone: "这里没有演示数据。",
  demoMixed: "除了演示数据，这里还有别的来源送来的事件，不能整体清除。",
  demoRemoved: (rows: number) => `演示数据已清除（${number(rows)} 行）。店铺时间已改为真实时间。`,
  demoRefused: "数据库里已有数据，不能再放演示数据。",
  doctorFine: "所有不变式都成立。",
  doctorBroken: (id: string, what: { zh: string; en: string }, rows: number) =>
    `${id} 不成立（${number(rows)} 行）：${what.zh}`,
  usage: `用法：
  liuke start [--demo] [--role all|api|worker]   启动
  liuke import people|products|stock|orders|events|relations|consents|market 文件 [--map 对照表.json] [--source 来源] [--from 时间] [--until 时间] [--trust shop|page] [--dry]   导入文件；--trust page 只当网页说的话收下；--dry 只试读，不收
  liuke rebuild people|columns [--from 时间] [--until 时间]   从日志重新算出客人数据，或重建列存
  liuke demo remove       清除演示数据
  liuke clock real        把店铺时间交给真实时间
  liuke owner-link [--force]   给出设置所有者密码的地址
  liuke migrate           只执行数据库迁移
  liuke doctor            检查不变式`,
};
const en: typeof zh = {
  starting: "Starting Liuke…",
  demoBegins:
    "The database is empty: here is one round of the loop on a real shop's orders (UCI Online Retail, CC BY 4.0).",
  importing: (c, of, perSecond, left) =>
    `Importing ${number(c.lines)}/${number(of)} lines · ${number(perSecond)} lines/s · about ${left} s left`,
  knowing: "Getting to know the guests: lifecycle, RFM, expected orders…",
  deciding: "Choosing the dormant who are worth winning back, and three goods for each…",
  acting: "A coupon and a message for 80 %, 20 % held out…",
  replaying: (c, of, perSecond, left) =>
    `Replaying the next three months ${number(c.lines)}/${number(of)} lines · ${number(perSecond)} lines/s · about ${left} s left`,
  badTrust: (said) => `--trust is shop or page, not “${said}”.`,
  badTime: (said) =>
    `--from and --until take a day (2026-03-01), a time on the shop's wall (2026-03-01 10:00) or an instant with its offset (2026-03-01T10:00:00+08:00), not “${said}”.`,
  interrupted: "Stopped. The next start goes on from here.",
  table: {
    lines: "Order lines",
    known: "Sales to known guests",
    people: "guests",
    orders: "orders",
    sold: "Sold",
    exact: "at the file's unit prices",
    stages: "Lifecycle",
    new: "new",
    active: "active",
    dormant: "dormant",
    lost: "lost",
    result: "Win-back",
    decision: "Next",
    clock: "Shop's clock",
  },
  console: (url) => `Console: ${url}`,
  owner: (url) =>
    `There is no owner yet. Open this address within 15 minutes to set a password (it works once):\n${url}`,
  ownerAgain: (url) =>
    `Open this address within 15 minutes to set the owner's password (it works once):\n${url}`,
  hasOwner: "There is an owner already. For another address all the same, add --force.",
  empty: (url) =>
    `There is no data yet. Make a server key in the console under Platform · API keys and send orders to ${url}/v1/orders/lines, or run npm run liuke -- import orders FILE --map MAP.json.`,
  ready: (ms) => `Ready in ${(ms / 1000).toFixed(1)} s. Ctrl-C stops it.`,
  stopping: "Stopping…",
  importedBefore: "This file was taken in before; nothing was added now. What became of it then:",
  imported: (c) =>
    `Read ${number(c.lines)} lines: ${number(c.accepted)} taken, ${number(c.rejected)} refused, ${number(c.doubles)} there already, ${number(c.outside)} outside the time asked for.`,
  rebuilt: (n) => `Worked out anew (${number(n)}).`,
  demoNone: "There is no demo data here.",
  demoMixed:
    "Besides the demo, other sources have sent events here, so it cannot be cleared as a whole.",
  demoRemoved: (rows) =>
    `The demo data is gone (${number(rows)} rows). The shop's clock shows real time now.`,
  demoRefused: "There is data in this database already, so no demo data can be added.",
  doctorFine: "Every invariant holds.",
  doctorBroken: (id, what, rows) => `${id} does not hold (${number(rows)} rows): ${what.en}`,
  usage: `Usage:
  liuke start [--demo] [--role all|api|worker]   start
  liuke import people|products|stock|orders|events|relations|consents|market FILE [--map MAP.json] [--source NAME] [--from TIME] [--until TIME] [--trust shop|page] [--dry]   import a file; --trust page takes it as no more than a page's word; --dry only reads and says what would be taken
  liuke rebuild people|columns [--from TIME] [--until TIME]   work people out anew from the log, or give the columns everything again
  liuke demo remove       take the demo data away
  liuke clock real        hand the shop's clock to real time
  liuke owner-link [--force]   print the address that sets an owner's password
  liuke migrate           run migrations only
  liuke doctor            check the invariants`,
};
export type Words = typeof zh;
type Environment = Record<string, string | undefined>;
/** The terminal's language is the machine's: Chinese where LC_ALL or LANG says so, else English. */
export const terminalLanguage = (environment: Environment): "zh" | "en" =>
  (environment["LC_ALL"] ?? environment["LANG"] ?? "").toLowerCase().startsWith("zh") ? "zh" : "en";
export const wordsFor = (environment: Environment): Words =>
  terminalLanguage(environment) === "zh" ? zh : en;
