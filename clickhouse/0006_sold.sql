alter table event add column if not exists order_marks UInt8 default 0;
create view if not exists sold as
with whole as (
  select source_id, order_ref,
    countIf(name = 'Order Line' and order_kind = 'sale') as sale_lines,
    countIf(name = 'Order Line' and order_kind = 'refund') as refund_lines,
    countIf(order_kind = 'cancelled') as cancels,
    countIf(name != 'Order Line' and order_kind = 'sale') as told,
    sumIf(amount_minor, name = 'Order Line' and order_kind = 'sale') as line_minor,
    argMaxIf((amount_minor, order_marks, quantity), (bitAnd(order_marks, 4) = 0, at, toString(id)),
      name != 'Order Line' and order_kind = 'sale') as state,
    argMinIf((at, id, node_id), (at, toString(id)), name != 'Order Line' and order_kind = 'sale') as first,
    argMinIf(node_id, (at, toString(id)), name = 'Order Line' and order_kind = 'sale') as line_node,
    sumIf(amount_minor, name != 'Order Line' and order_kind = 'refund' and bitAnd(order_marks, 2) = 0) as back_minor,
    countIf(order_kind = 'all') as alls,
    argMinIf((at, id, node_id), (at, toString(id)), order_kind = 'all') as all_first,
    if(sale_lines > 0, line_minor, if(told > 0 and bitAnd(state.2, 2) = 0, state.1, 0)) as sale_minor
  from event
  where order_ref != '' and bitAnd(flags, 3) = 0
  group by source_id, order_ref
)
select bucket, node_id, source_id, order_ref, order_kind, id, at, sku, quantity, amount_minor
from event
where name = 'Order Line' and order_kind in ('sale', 'refund') and bitAnd(flags, 3) = 0
  and (source_id, order_ref) not in (
    select source_id, order_ref from event where order_kind = 'cancelled' and bitAnd(flags, 3) = 0
  )
union all
select 0, first.3, source_id, order_ref, 'sale', first.2, first.1, '', state.3, state.1
from whole where told > 0 and sale_lines = 0 and cancels = 0 and bitAnd(state.2, 2) = 0
union all
select 0, if(w.sale_lines > 0, w.line_node, if(w.told > 0, w.first.3, e.node_id)), e.source_id, e.order_ref,
  'refund', e.id, e.at, '', e.quantity, e.amount_minor
from event e join whole w on w.source_id = e.source_id and w.order_ref = e.order_ref
where e.name = 'Order Refunded' and e.order_kind = 'refund' and bitAnd(e.flags, 3) = 0
  and bitAnd(e.order_marks, 2) = 0 and w.cancels = 0 and w.refund_lines = 0
union all
select 0, if(sale_lines > 0, line_node, if(told > 0, first.3, all_first.3)), source_id, order_ref, 'refund',
  all_first.2, all_first.1, '', 0, -sale_minor - back_minor
from whole where alls > 0 and cancels = 0 and refund_lines = 0 and sale_minor + back_minor > 0;
