// Every failure a caller can meet. The code is the contract: status, both sentences and the help page
// hang on it here and nowhere else. A code without its row, or a row without a language, does not compile.
import type { Failure, RequestFailure } from "#kernel/http.ts";

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
  "traits.unknown": { status: 404, zh: "没有这个特征。", en: "There is no such trait." },
  "traits.name_taken": {
    status: 409,
    zh: "这个名字已被系统算出的另一项资料占用，请换一个。",
    en: "The system keeps another figure under this name. Choose a different one.",
  },
  "traits.too_many": {
    status: 409,
    zh: "最多定义 200 个特征，请先删掉不用的。",
    en: "There may be 200 traits at most. Remove one that is not used first.",
  },
  "traits.going": {
    status: 409,
    zh: "同名的特征正在删除，请稍后再试。",
    en: "A trait of this name is still being removed. Try again in a moment.",
  },
  "traits.too_many_attributes": {
    status: 409,
    zh: "最多自定义 50 项属性。",
    en: "There may be 50 attributes of your own at most.",
  },
  "traits.attribute_type": {
    status: 409,
    zh: "属性的类型定好后不能改，请用新的代码另建一项。",
    en: "The type of an attribute stays as it is. Declare another one under a new code.",
  },
  "traits.attribute_unknown": {
    status: 404,
    zh: "没有这项自定义属性。",
    en: "There is no such attribute.",
  },
  "traits.attribute_going": {
    status: 409,
    zh: "同名的属性正在删除，请稍后再试。",
    en: "An attribute of this name is still being deleted. Try again in a moment.",
  },
  "traits.attribute_used": {
    status: 409,
    zh: "还有人群、表单或特征在用这项属性，请先改掉它们。",
    en: "Segments, forms or traits still ask for this attribute. Change those first.",
  },
  "traits.tag_unknown": { status: 404, zh: "没有这个标签。", en: "There is no such tag." },
  "traits.tag_going": {
    status: 409,
    zh: "这个标签的规则正在删除，请稍后再试。",
    en: "The rules of this tag are still being removed. Try again in a moment.",
  },
  "traits.too_many_tags": {
    status: 409,
    zh: "最多给 200 个标签定规则，请先去掉不用的。",
    en: "At most 200 tags may have rules. Remove one that is not used first.",
  },
  "traits.circular": {
    status: 409,
    zh: "这个人群本身又取决于这个标签，这样会反复打上又去掉。请换一个人群。",
    en: "This segment itself depends on the tag, which would come and go without end. Choose another segment.",
  },
  "traits.too_many_words": {
    status: 409,
    zh: "最多标记 100 个品类，请先取消一个。",
    en: "You can mark 100 categories at most. Take one back first.",
  },
  "people.unfit": {
    status: 422,
    zh: "这一项的内容看起来不对，请检查后再填。",
    en: "This does not look right. Check it and try again.",
  },
  "forms.unknown": { status: 404, zh: "没有这张表单。", en: "There is no such form." },
  "forms.closed": {
    status: 410,
    zh: "这张表单已停止收集。",
    en: "This form takes no more answers.",
  },
  "forms.taken": {
    status: 409,
    zh: "这个地址已有另一张表单在用。",
    en: "Another form has this address already.",
  },
  "forms.unfit": {
    status: 422,
    zh: "表单里有几处设置不正确。",
    en: "Some parts of the form do not fit together.",
  },
  "forms.origin": {
    status: 403,
    zh: "这个网站没有获准显示这张表单。",
    en: "This site has no leave to show the form.",
  },
  "companies.too_many_tags": {
    status: 409,
    zh: "公司标签的规则最多 100 个，请先删掉不用的。",
    en: "At most 100 tags of companies can have rules. Remove one that is not needed.",
  },
  "companies.not_of_companies": {
    status: 422,
    zh: "规则里要选公司人群，不能选会员人群。",
    en: "The rules have to name segments of companies, not of people.",
  },
  "companies.unknown": { status: 404, zh: "没有这家公司。", en: "There is no such company." },
  "relations.not_agreed": {
    status: 409,
    zh: "请先同意本店记录好友关系。",
    en: "Agree first that this shop may keep who your friends are.",
  },
  "relations.no_user": {
    status: 409,
    zh: "你在店里还没有账号，无法添加好友。",
    en: "You have no account with this shop yet, so others cannot be told apart from you.",
  },
  "relations.too_many": {
    status: 409,
    zh: "屏蔽次数已到上限（1000 次）。",
    en: "You have reached the limit of 1,000 blocks.",
  },
  "people.unknown": { status: 404, zh: "没有这个用户。", en: "There is no such person." },
  "people.tag_reserved": {
    status: 409,
    zh: "这个标签由系统按订单计算，不能手动改。",
    en: "This tag is worked out from orders and cannot be set by hand.",
  },
  "people.tag_expired": {
    status: 422,
    zh: "到期时间要晚于现在。",
    en: "The time it ends has to lie ahead.",
  },
  "people.tag_names": {
    status: 422,
    zh: "标签里不能写邮箱、电话或网址。",
    en: "A tag must not hold an e-mail, a phone number or an address on the web.",
  },
  "people.reason_names": {
    status: 422,
    zh: "原因里不能写邮箱、电话或网址。",
    en: "The reason must not hold an e-mail, a phone number or an address on the web.",
  },
  "people.blocked_there": {
    status: 409,
    zh: "这个值已经不代表任何人了。",
    en: "This value stands for nobody already.",
  },
  "people.blocked_full": {
    status: 409,
    zh: "最多设 1,000 个不代表任何人的值，请先去掉一些。",
    en: "There can be 1,000 values that stand for nobody. Take some back first.",
  },
  "people.blocked_unknown": {
    status: 404,
    zh: "没有这个值。",
    en: "There is no such value.",
  },
  "people.merge_same": {
    status: 409,
    zh: "这两位已经是同一位会员。",
    en: "These two are one member already.",
  },
  "people.merge_blocked": {
    status: 409,
    zh: "其中一位只有一个不代表任何人的标识（如 guest），不能合并。",
    en: "One of the two is known only by a value that stands for nobody, such as “guest”, and cannot be merged.",
  },
  "people.merge_limit": {
    status: 409,
    zh: "合并后，同一类标识会超过一位会员的上限。可以先在“身份规则”里调高上限。",
    en: "Merged, they would have more identifiers of one type than a member may have. You can raise that limit under Identity rules.",
  },
  "people.merge_parted": {
    status: 409,
    zh: "你的商店系统已说明这两个标识不是同一个人。请先在商店系统里重新绑定。",
    en: "Your shop’s own system said that these two are not the same person. Bind them there first.",
  },
  "people.merge_unknown": {
    status: 404,
    zh: "这位会员没有这次合并记录。",
    en: "This member has no such merge.",
  },
  "people.merge_undone": {
    status: 409,
    zh: "这次合并已经撤销。",
    en: "This merge has been undone already.",
  },
  "catalog.unknown": { status: 404, zh: "没有这件商品。", en: "There is no such product." },
  "plan.full": {
    status: 409,
    zh: "这个来源的事件名太多，不能再添加计划。",
    en: "This source has too many event names to plan one more.",
  },
  "plan.unknown": {
    status: 404,
    zh: "这个来源没有发送过这个事件，也没有计划过它。",
    en: "This source never sent this event, and nobody planned it.",
  },
  "collect.no_source": {
    status: 403,
    zh: "这个密钥不属于任何数据来源，不能发送事件。",
    en: "This key belongs to no source, so it cannot send events.",
  },
  "collect.disabled": {
    status: 403,
    zh: "这个数据来源已停用。",
    en: "This source is switched off.",
  },
  "collect.other_protocol": {
    status: 403,
    zh: "这个密钥属于另一种客户端，请核对数据来源的设置。",
    en: "This key belongs to another kind of client: check the settings of its source.",
  },
  "collect.origin": {
    status: 403,
    zh: "数据来源没有允许这个网站。",
    en: "The source does not allow this site.",
  },
  "collect.not_shareable": {
    status: 409,
    zh: "只能与一个有自己用户编号的服务器来源共用编号。",
    en: "Numbers of people can only be shared with a server's source that has its own.",
  },
  "exchange.no_segment": {
    status: 404,
    zh: "没有这个人群，无法导出。",
    en: "There is no such segment to export.",
  },
  "exchange.gone": {
    status: 404,
    zh: "找不到这一条：可能已经送入，或者保存期已过。",
    en: "It is not there any more: it may have been sent already, or its time is over.",
  },
  "exchange.files_full": {
    status: 409,
    zh: "同时最多保留 20 个未导入完的文件，请先完成或取消其中一些。",
    en: "At most 20 files can be open at once: finish or cancel some first.",
  },
  "exchange.not_text": {
    status: 400,
    zh: "这是表格或压缩包文件，请先另存为 CSV（UTF-8）再上传。",
    en: "This is a workbook or an archive: save it as CSV (UTF-8) and upload that.",
  },
  "exchange.offset": {
    status: 409,
    zh: "上传的位置对不上，请从已收到的地方继续。",
    en: "These bytes do not follow what has come so far: go on from there.",
  },
  "exchange.not_whole": {
    status: 409,
    zh: "文件还没有传完。",
    en: "The file has not come whole yet.",
  },
  "exchange.unreadable": {
    status: 400,
    zh: "文件读不出来：压缩包不完整，或者编码不对。",
    en: "The file cannot be read: it is packed wrongly, or in another encoding.",
  },
  "exchange.empty": {
    status: 400,
    zh: "文件是空的，连表头都没有。",
    en: "The file is empty: it does not even have a heading.",
  },
  "exchange.heading": {
    status: 400,
    zh: "表头读不出来：可能漏了右引号，或者第一行超过 1 MiB。",
    en: "The heading cannot be read: a closing quote is missing, or it is longer than 1 MiB.",
  },
  "exchange.columns": {
    status: 400,
    zh: "文件超过 2,000 列。请只保留要导入的列，再上传一次。",
    en: "The file has more than 2,000 columns. Keep those you want to import and upload it again.",
  },
  "exchange.stage": {
    status: 409,
    zh: "文件现在的状态不能这样操作，请刷新后再看。",
    en: "The file is past that by now: look at it again.",
  },
  "exchange.begun": {
    status: 409,
    zh: "已经导入了一部分，不能再改列的对应关系；请取消后用同一文件重新导入，已导入的行不会重复。",
    en: "Some of it is imported already, so its mapping cannot change: cancel it and import the file again, and nothing counts twice.",
  },
  "exchange.no_kind": {
    status: 400,
    zh: "请先说明这个文件是什么数据。",
    en: "Say first what kind of data the file holds.",
  },
  "exchange.mendings_full": {
    status: 409,
    zh: "同时最多进行 10 次批量修改，请先完成或停下其中一些。",
    en: "At most 10 changes of many can be open at once: finish or stop some first.",
  },
  "exchange.not_tried": {
    status: 409,
    zh: "请等试算完成后再开始。",
    en: "It has to be tried to the end before it can begin.",
  },
  "collect.source_unknown": {
    status: 404,
    zh: "没有这个数据来源。",
    en: "There is no such source.",
  },
  "collect.name_taken": {
    status: 409,
    zh: "已经有同名的数据来源了。",
    en: "There is a source with this name already.",
  },
  "orders.server_only": {
    status: 403,
    zh: "只有商店服务器的密钥可以发送订单。",
    en: "Only a key of the shop's own server may send orders.",
  },
  "access.wrong_sign_in": {
    status: 401,
    zh: "邮箱或密码不对。",
    en: "E-mail or password is not right.",
  },
  "access.wrong_password": {
    status: 422,
    zh: "当前密码不对。",
    en: "The current password is not right.",
  },
  "access.password_is_email": {
    status: 422,
    zh: "密码不能和邮箱相同。",
    en: "The password must not be the e-mail address.",
  },
  "access.link_dead": {
    status: 410,
    zh: "链接已失效，请重新获取。",
    en: "This link no longer works. Ask for a new one.",
  },
  "access.email_taken": {
    status: 409,
    zh: "这个邮箱已经有账号了。",
    en: "There is an account with this e-mail already.",
  },
  "access.last_owner": {
    status: 409,
    zh: "至少要留一位所有者。",
    en: "At least one owner has to stay.",
  },
  "access.beyond_own": {
    status: 403,
    zh: "不能授予或管理超出自己权限的权限。",
    en: "You cannot give, or manage, more than you may do yourself.",
  },
  "access.operator_unknown": {
    status: 404,
    zh: "没有这位同事。",
    en: "There is no such colleague.",
  },
  "access.invitation_unknown": {
    status: 404,
    zh: "没有这个邀请，或已经用过。",
    en: "There is no such invitation, or it was used.",
  },
  "access.key_unknown": { status: 404, zh: "没有这个密钥。", en: "There is no such key." },
  "access.source_unknown": {
    status: 404,
    zh: "没有这个数据来源。",
    en: "There is no such source.",
  },
  "access.public_source": {
    status: 422,
    zh: "浏览器和应用用的密钥人人可见，只能用来发送事件。",
    en: "A key for browsers and apps is open to everybody: it may send events and nothing else.",
  },
  "access.public_key_needed": {
    status: 422,
    zh: "EdDSA 需要提供公钥，HS256 不需要。",
    en: "EdDSA needs a public key; HS256 takes none.",
  },

  "offers.unknown": { status: 404, zh: "没有这个优惠活动。", en: "There is no such campaign." },
  "offers.no_budget": {
    status: 400,
    zh: "请给活动设上限：张数或金额，至少一项。",
    en: "Set a limit for this campaign: a number of coupons, an amount, or both.",
  },
  "offers.unbounded": {
    status: 400,
    zh: "按金额设预算的折扣券，要写明每张最多减多少。",
    en: "A budget in money needs the most that one percentage coupon may take off.",
  },
  "offers.stopped": {
    status: 409,
    zh: "这个活动已停止发券。",
    en: "This campaign gives out no more coupons.",
  },
  "offers.person_limit": {
    status: 409,
    zh: "每人可领的张数已用完。",
    en: "This person already has as many as one person may have.",
  },
  "offers.budget_spent": {
    status: 409,
    zh: "券已发完。",
    en: "All coupons of this campaign are gone.",
  },
  "offers.server_only": {
    status: 403,
    zh: "只有商店服务器的密钥可以用券。",
    en: "Only a key of the shop's own server may use a coupon.",
  },
  "offers.coupon_unknown": { status: 404, zh: "没有这张券。", en: "There is no such coupon." },
  "offers.code_unknown": {
    status: 404,
    zh: "券码不对，请核对后再试。",
    en: "No coupon has this code. Check it and try again.",
  },
  "offers.coupon_used": {
    status: 409,
    zh: "这张券已经用过了。",
    en: "This coupon was used already.",
  },
  "offers.coupon_expired": { status: 409, zh: "这张券已过期。", en: "This coupon has expired." },
  "offers.coupon_revoked": {
    status: 409,
    zh: "这张券已被收回。",
    en: "This coupon was taken back.",
  },
  "offers.currency": {
    status: 400,
    zh: "订单的币种与券不同。",
    en: "The order is in another currency than the coupon.",
  },
  "offers.spend_short": {
    status: 409,
    zh: "订单金额还没到用券门槛。",
    en: "The order is below what this coupon asks for.",
  },

  "messages.unknown": { status: 404, zh: "没有这条消息。", en: "There is no such message." },
  "messages.server_only": {
    status: 403,
    zh: "只有商店服务器的密钥可以记录同意。",
    en: "Only a key of the shop's own server may record a consent.",
  },
  "messages.consent_future": {
    status: 400,
    zh: "同意的时间不能晚于现在。",
    en: "A consent cannot be given later than now.",
  },
  "messages.placeholder": {
    status: 400,
    zh: "模板里有不认识的占位符。",
    en: "The template has a placeholder that does not exist.",
  },
  "experiments.unknown": { status: 404, zh: "没有这个实验。", en: "There is no such experiment." },
  "journeys.unknown": { status: 404, zh: "没有这个运营计划。", en: "There is no such programme." },
  "journeys.nobody": {
    status: 409,
    zh: "此刻人群里没有人，计划没有开始。",
    en: "Nobody is in the segment right now, so the programme was not started.",
  },
  "journeys.not_next": {
    status: 409,
    zh: "上一轮还没结束，或轮次不连续。",
    en: "The run before is not over yet, or a run would be left out.",
  },
  "insights.no_event": { status: 404, zh: "没有这个事件。", en: "There is no such event." },
  "segments.unknown": { status: 404, zh: "没有这个人群。", en: "There is no such segment." },
  "segments.in_use": {
    status: 409,
    zh: "还在使用这个人群，不能删除：{names}。",
    en: "This segment is still asked for by: {names}. It cannot be deleted.",
  },
  "segments.unknown_in_rule": {
    status: 409,
    zh: "规则里提到“{name}”，但没有这个{level}人群。",
    en: "The rule names “{name}”, and there is no such segment of {level}.",
  },
  "segments.unknown_tag": {
    status: 409,
    zh: "没有标签“{name}”：没声明过，也没有{level}带过它。请检查写法；要用新标签，先声明它，或先给{level}打上。",
    en: "There is no tag “{name}”: it is not declared, and no {level} ever carried it. Check the spelling; a new tag is declared first, or set by hand once.",
  },
  "segments.unknown_attribute": {
    status: 409,
    zh: "没有属性“{name}”：没声明过，也没有{level}有这一项。请检查写法，或先声明。",
    en: "There is no attribute “{name}”: it is not declared, and no {level} have it. Check the spelling, or declare it first.",
  },
  "segments.superseded": {
    status: 409,
    zh: "规则又改了，这次的结果已不需要。",
    en: "The rule was changed again, and this answer is no longer waited for.",
  },
  "segments.too_many_snapshots": {
    status: 409,
    zh: "一个人群最多定格 {limit} 份名单。",
    en: "At most {limit} lists are kept of one segment.",
  },
  "segments.level_fixed": {
    status: 409,
    zh: "人群建好后，不能在“按人”和“按公司”之间改换。",
    en: "Whether a segment holds people or companies cannot be changed once it is there.",
  },
  "segments.circular": {
    status: 409,
    zh: "这条规则绕一圈又用到这个人群自己：{round}。",
    en: "By way of others, this rule would depend on its own segment: {round}.",
  },
  "feeds.unknown": { status: 404, zh: "没有这个 Webhook。", en: "There is no such webhook." },
  "feeds.too_many": {
    status: 409,
    zh: "最多可以有 200 个 Webhook。",
    en: "There can be 200 webhooks at most.",
  },
  "feeds.is_off": {
    status: 409,
    zh: "这个 Webhook 已停用，请先启用。",
    en: "This webhook is off. Turn it on first.",
  },
  "feeds.no_delivery": {
    status: 404,
    zh: "这个 Webhook 没有这条消息。",
    en: "This webhook has no such message.",
  },
  "feeds.url_broken": {
    status: 422,
    zh: "这不是完整的网址。",
    en: "This is not a complete address.",
  },
  "feeds.url_scheme": {
    status: 422,
    zh: "网址要以 https:// 或 http:// 开头。",
    en: "The address has to begin with https:// or http://.",
  },
  "feeds.url_credentials": {
    status: 422,
    zh: "网址里不能带用户名或密码。",
    en: "The address must not hold a user name or password.",
  },
  "feeds.url_port": {
    status: 422,
    zh: "不能向这个端口发送。请用 80、443 或 1024 以上的其他端口。",
    en: "This port is not one we send to. Use 80, 443 or another one above 1024.",
  },
  "feeds.url_internal": {
    status: 422,
    zh: "这个网址指向内部网络。如果确实要发到那里，请管理员在 LIUKE_FEED_ALLOW 里放行。",
    en: "This address leads into an internal network. To send there, have it allowed in LIUKE_FEED_ALLOW.",
  },
  "feeds.type_unknown": {
    status: 422,
    zh: "没有这种事件，可选的事件见目录。",
    en: "There is no such event. The catalogue lists those there are.",
  },
  "feeds.segment_unknown": { status: 422, zh: "没有这个人群。", en: "There is no such segment." },
  "feeds.feed_off": {
    status: 409,
    zh: "事件流没有开启。",
    en: "The feed is off. Turn it on first.",
  },
  "feeds.cursor_old": {
    status: 410,
    zh: "这个游标之后的部分事件已不在（超过 30 天，或事件流曾经关闭）。请从最早的位置重新取。",
    en: "Some events after this cursor are gone: older than 30 days, or from while the feed was off. Begin again at the oldest.",
  },
} as const satisfies Record<string, Failure> & Record<RequestFailure, Failure>;
