-- What must hold, whatever happened. Each query gives the rows that break it, and none where it holds: ids and figures
-- only. `liuke doctor` runs them in production, the tests after every fault. A heading is the invariant, the sentence in
-- Chinese, a bar, the sentence in English. {person} and {text} stand for every table of a person and every column of
-- text; {sample} for one person in so many.

-- I5 已发的券和活动预算的计数一致，且不超过上限 | Coupons given out are what the budget counts, and within its limit
select b.campaign_id from offers_budget b
left join (select campaign_id, count(*) as n from offers_coupon group by 1) c using (campaign_id)
where b.coupons <> coalesce(c.n, 0) + b.erased_coupons or b.coupons > b.coupon_limit;

-- I5 活动预算里的金额等于已抵扣加占用，且不超过上限 | Money taken from a budget is what was taken off orders plus what is held, and within its limit
select b.campaign_id from offers_budget b
left join (
  select campaign_id, sum(held_minor + coalesce(discount_minor, 0)) as minor from offers_coupon group by 1
) c using (campaign_id)
where b.minor > b.minor_limit
  or (b.minor_limit is not null and b.minor <> coalesce(c.minor, 0) + b.erased_minor);

-- I5 每人领到的券数和计数一致，且不超过每人上限 | Nobody has more coupons of a campaign than it gives to one person
select bucket, person_id, campaign_id from (
  select bucket, person_id, campaign_id, count(*) as n from offers_coupon group by 1, 2, 3
) c
full join offers_person p using (bucket, person_id, campaign_id)
join offers_campaign o on o.id = campaign_id
where coalesce(c.n, 0) <> coalesce(p.coupons, 0)
  -- Of people who turned out to be one, each had theirs: an excess is shown and never taken back.
  or c.n > o.per_person * (1 + (select count(*) from people_way w where w.into_id = c.person_id));

-- I5 一张券只抵扣一次，抵扣额不超过订单金额 | A used coupon takes off no more than its order, and holds nothing any more
select bucket, person_id, id from offers_coupon
where discount_minor > order_minor or discount_minor < 0
  or (state not in ('issued', 'claimed') and held_minor <> 0);

-- I8 每个幂等键对应一次执行，也对应一条审计记录 | Each idempotency key has one effect: one line of the audit
select i.actor, i.endpoint, i.at from (
  select actor, endpoint, at, count(*) as n from idempotency group by 1, 2, 3
) i
left join (
  select actor, endpoint, at, count(*) as n from audit
  where at >= (select min(at) from idempotency) group by 1, 2, 3
) a using (actor, endpoint, at)
where i.n is distinct from a.n;

-- I9 没有发不出去的事件，也没有积压超过一小时的事件 | No event is dead, and none has been due for an hour
select bucket, person_id, id from outbox
where dead_at is not null or next_at < now() - interval '1 hour';

-- I9 每条等待投递的消息都还有内容，Webhook 停用后不再有消息等待 | What waits for a webhook has its content, and nothing waits for one that is off
select d.bucket, d.person_id, d.event_id, d.webhook_id from feeds_delivery d
left join feeds_webhook w on w.id = d.webhook_id
left join feeds_event e on (e.bucket, e.person_id, e.id) = (d.bucket, d.person_id, d.event_id)
where d.state = 'waiting'
  and (e.id is null or (w.state is distinct from 'on' and d.made_at < now() - interval '3 hours'));

-- I9 事件流的位置从不重复，也不超过下一个 | No position of the feed is given twice, nor beyond the next one
select position from feeds_event where position is not null group by position having count(*) > 1
union all select position from feeds_event where position >= (select next from feeds_feed);

-- I9 事件日志里没有因为处理不了而被搁置的事件 | No event of the log was set aside because it could not be worked through
select p.bucket, p."offset" from collect_parked p
left join collect_rejected r on r.id = p.rejected_id
where p.rejected_id is null or r.closed_at is null and r.id is not null;

-- I9 没有反复失败、已经放弃的定时任务 | No timer was given up after failing again and again
select bucket, person_id, kind, key from timer where attempts >= 8;

-- I10 旅程里每个人只停在一个节点，且这个节点走到过 | Everybody in a journey stands at one node, one that they came to
select bucket, person_id, run_id from journeys_enrolment e
where not exists (
  select from journeys_move m
  where (m.bucket, m.person_id, m.run_id, m.node) = (e.bucket, e.person_id, e.run_id, e.node)
);

-- I10 旅程里没有人同时走到两个终点 | Nobody in a journey came to two ends
select bucket, person_id, run_id from journeys_move
where node <> 'waiting' group by 1, 2, 3 having count(*) > 1;

-- I10 旅程的分组和实验的分组一致，对照组没有券 | A journey's arms are its experiment's, and nobody held out has a coupon of it
select e.bucket, e.person_id, e.run_id from journeys_enrolment e
join journeys_run r on r.id = e.run_id
left join experiments_assignment a
  on (a.bucket, a.person_id, a.experiment_id) = (e.bucket, e.person_id, r.experiment_id)
-- Somebody who turned out to have been in both arms goes on where they came furthest, and is in neither's result.
where (a.arm is distinct from e.arm and a.crossed is not true) or (e.arm = 'control' and (e.coupon_id is not null or e.node = 'sent'));

-- I11 每条已发消息在发出时都有本人同意 | Whoever got a message had agreed to it as it left
select d.bucket, d.person_id, d.message_id, d.channel from messages_delivery d
join messages_message m on (m.bucket, m.person_id, m.id) = (d.bucket, d.person_id, d.message_id)
where d.sent_at is not null and not coalesce((
  select c.granted from messages_consent c
  where (c.bucket, c.person_id, c.purpose, c.channel) = (d.bucket, d.person_id, m.purpose, d.channel)
    and c.seq <= d.consents and c.at <= d.sent_at
  order by c.at desc, c.seq desc limit 1
), false)
-- What went along at a merge or came back stands by the word of whoever they were as it left.
and not exists (
  with recursive one(person_id) as (
    select d.person_id union
    select case when g.from_id = one.person_id then g.into_id else g.from_id end
    from one join people_merge g on one.person_id in (g.from_id, g.into_id)
  )
  select from one cross join lateral (
    select c.granted from messages_consent c
    where (c.person_id, c.purpose, c.channel) = (one.person_id, m.purpose, d.channel)
      and c.seq <= d.consents and c.at <= d.sent_at
    order by c.at desc, c.seq desc limit 1
  ) c where c.granted
);

-- I11 没有人在 7 天或 30 天内收到超过上限的消息 | Nobody got more than their share in 7 or in 30 days
select m.bucket, m.person_id, m.id from messages_message m
cross join lateral (
  select count(*) filter (where o.released_at > m.released_at - interval '7 days') as week, count(*) as month
  from messages_message o
  where (o.bucket, o.person_id, o.purpose) = (m.bucket, m.person_id, m.purpose)
    and o.released_at > m.released_at - interval '30 days' and o.released_at <= m.released_at
) n
where (n.week > (m.policy->>'week')::int or n.month > (m.policy->>'month')::int)
-- People who are one, or were, had a share each, through however many merges.
and (
  with recursive one(person_id) as (
    select m.person_id union
    select case when g.from_id = one.person_id then g.into_id else g.from_id end
    from one join people_merge g on one.person_id in (g.from_id, g.into_id)
  )
  select n.week > (m.policy->>'week')::int * count(*) or n.month > (m.policy->>'month')::int * count(*) from one
);

-- I11 没有消息在免打扰时段发出 | No message left in quiet hours
select m.bucket, m.person_id, m.id from messages_message m
cross join lateral (
  select to_char(m.released_at at time zone (m.policy->>'timeZone'), 'HH24:MI') as wall,
    m.policy->>'quietFrom' as quiet_from, m.policy->>'quietUntil' as quiet_until
) q
where case when quiet_from <= quiet_until then wall >= quiet_from and wall < quiet_until
  else wall >= quiet_from or wall < quiet_until end;

-- I11 只有放行的消息才会送达 | Nothing is delivered of a message that was not let go
select d.bucket, d.person_id, d.message_id from messages_delivery d
left join messages_message m on (m.bucket, m.person_id, m.id) = (d.bucket, d.person_id, d.message_id)
where m.verdict is distinct from 'queued';

-- I13 每条已处理的订单行事件都成为一条订单行 | Every order line of the log that was read is a line of an order
select e.bucket, e."offset" from collect_event e
join collect_consumer c on c.bucket = e.bucket and c.consumer = 'people' and e."offset" < c.next
left join people_owner n on n.bucket = e.bucket and n.node_id = e.node_id
  and (e.at, e.id) >= (n.from_at, n.from_id) and (e.at, e.id) < (n.until_at, n.until_id)
where e.name = 'Order Line' and e.flags & 3 = 0 and e.bucket % {sample} = 0 and not exists (
  select from orders_line l
  where l.bucket = coalesce(n.person_bucket, e.bucket) and l.event_id = e.id
    and l.person_id = coalesce(n.person_id, '00000000-0000-0000-0000-000000000000')
    and l.amount_minor = (e.data->>'amountMinor')::bigint and l.quantity = (e.data->>'quantity')::int
);

-- I13 订单等于它各行之和 | An order is what its lines add up to
select bucket, person_id, source_id, ref, kind from (
  select bucket, person_id, source_id, ref, kind, count(*) as lines, sum(quantity) as items, sum(amount_minor) as minor
  from orders_line where kind <> 'adjustment' and bucket % {sample} = 0 group by 1, 2, 3, 4, 5
) l
full join (select * from orders_order where bucket % {sample} = 0) o using (bucket, person_id, source_id, ref, kind)
where l.lines is distinct from o.lines or l.items is distinct from o.items or l.minor is distinct from o.amount_minor;

-- I13 画像里的订单数字等于订单之和 | The figures of a profile are what the person's orders come to
select p.bucket, p.person_id from (
  select bucket, person_id, count(*) filter (where sale) as orders,
    count(*) filter (where kind = 'refund') as refunds, count(distinct day) filter (where sale) as days,
    coalesce(sum(items) filter (where sale), 0) as items,
    coalesce(sum(amount_minor) filter (where sale), 0) as spent,
    coalesce(-sum(amount_minor) filter (where kind = 'refund'), 0) as refunded
  from (
    select *, kind = 'sale' and amount_minor > 0 as sale from orders_order
    where bucket % {sample} = 0 and person_id <> '00000000-0000-0000-0000-000000000000'
  ) o group by 1, 2
) f
full join (
  select bucket, person_id, attributes as a from people_profile
  where bucket % {sample} = 0 and attributes ? 'orders'
) p using (bucket, person_id)
where (a->'orders'->>'v')::numeric is distinct from coalesce(f.orders, 0)
  or (a->'refunds'->>'v')::numeric is distinct from coalesce(f.refunds, 0)
  or (a->'purchase_days'->>'v')::numeric is distinct from coalesce(f.days, 0)
  or (a->'items'->>'v')::numeric is distinct from coalesce(f.items, 0)
  or (a->'spent_minor'->>'v')::numeric is distinct from coalesce(f.spent, 0)
  or (a->'refunded_minor'->>'v')::numeric is distinct from coalesce(f.refunded, 0);

-- I13 每个标签都等于它最后一次变化 | Every tag is what its last change made it
select t.bucket, t.person_id, t.tag from people_tag t
left join people_tag_log l on (l.bucket, l.person_id, l.id) = (t.bucket, t.person_id, t.log_id)
where l.tag is distinct from t.tag or l.after is distinct from t.value;

-- I13 每个分群成员都等于最后一次进出 | Everybody in a segment entered it and did not leave since
select coalesce(m.bucket, l.bucket), coalesce(m.person_id, l.person_id), coalesce(m.segment_id, l.segment_id)
from segments_member m
full join (
  -- Who came and went in one instant may be in or out: the log has no finer order.
  select bucket, person_id, segment_id, bool_or(change = 'entered') as entered, bool_or(change = 'left') as went
  from (select *, max(at) over (partition by bucket, person_id, segment_id) as last from segments_log) log
  where at = last group by 1, 2, 3
) l using (bucket, person_id, segment_id)
where not coalesce(case when m.segment_id is null then l.went else l.entered end, false);

-- I15 每条审计记录都已封存或等待封存 | Every line of the audit is sealed or waits for its seal
select a.id from audit a
where not exists (select from audit_seal s where s.audit_id = a.id)
  and not exists (select from audit_due d where d.audit_id = a.id);

-- I15 审计记录的封存没有停下 | The audit is being sealed: no line has waited for an hour
select d.audit_id from audit_due d join audit a on a.id = d.audit_id
where a.at < (select max(at) from audit) - interval '1 hour' and a.at < now() - interval '1 hour';

-- I16 属于某人的每一行都找得到这个人（{person}） | Every row of a person has its person ({person})
select t.bucket, t.person_id from {person} t
where t.person_id <> '00000000-0000-0000-0000-000000000000' and not exists (
  select from people_person p where (p.bucket, p.person_id) = (t.bucket, t.person_id)
) and not exists (
  -- Of somebody who turned out to be another, the way stays, what waits for its undoing, what they agreed to, what the
  -- columns are to be told, and the rows that writers hold.
  select from people_way w where w.person_id = t.person_id and w.into_id is not null
    and ('{person}' in (
      '"people_way"', '"people_parked"', '"messages_consent"', '"segments_stale"', '"messages_person"',
      '"relations_person"') or exists (
      select from people_merge g where g.from_id = t.person_id and g.state in ('merging', 'parting')))
);

-- I16 已完成的身份核对任务没有遗留 | A job of who is who that has ended has left nothing waiting
select j.id from people_job j where j.ended_at is not null and (
  exists (select from people_rework r where r.job_id = j.id)
  or exists (select from people_refold f where f.job_id = j.id));

-- I16 每个人都找得到，也都有身份节点 | Every person is found by their id, and has a node
select coalesce(p.person_id, w.person_id) from people_person p
full join people_way w using (bucket, person_id)
where w.person_id is null or (p.person_id is null and not exists (
  select from people_person i where (i.bucket, i.person_id) = (w.into_bucket, w.into_id)
)) or p.person_id is not null and not exists (
  select from people_node n where n.person_bucket = p.bucket and n.person_id = p.person_id
);

-- I16 每个身份节点都属于某人，有密钥，也有索引 | Every node has its person, its key and its index
select n.bucket, n.node_id from people_node n
where not exists (select from people_person p where (p.bucket, p.person_id) = (n.person_bucket, n.person_id))
  or not exists (select from privacy_node_key k where (k.bucket, k.node_id) = (n.bucket, n.node_id))
  or not exists (select from people_identifier i where (i.bucket, i.node_id) = (n.bucket, n.node_id));

-- I16 没有主人的密钥、索引、字段和事件都不存在 | No key, index, field or event is left of a node that is gone
select bucket, node_id from (
  select bucket, node_id from privacy_node_key union all select bucket, node_id from people_identifier
  union all select node_bucket, node_id from people_field
  union all select bucket, node_id from collect_event where node_id is not null
) t
where not exists (select from people_node n where (n.bucket, n.node_id) = (t.bucket, t.node_id));

-- I16 被删除的人没有留下任何行（{person}） | Nothing is left of anybody erased ({person})
select t.bucket, t.person_id from {person} t
join privacy_erasure e on (e.bucket, e.person_id) = (t.bucket, t.person_id);

-- I16 没有拖了一天还没完成的删除 | No erasure has waited for a day
select id from privacy_erasure where columns_at is null and asked_at < now() - interval '1 day';

-- I16 没有明文的邮箱和手机号（{text}） | No e-mail address or phone number stands in clear ({text})
select 1 from {text.table} t
where t.{text.column}::text ~* '[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+|(^|[^0-9a-z.:+-])\+[1-9][0-9]{9,14}([^0-9]|$)|(^|[^0-9a-z.-])1[3-9][0-9]{9}([^0-9a-z.-]|$)';
