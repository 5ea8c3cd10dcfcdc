with newest as (
    select snapshot.tenant_id, max(snapshot.date) as date
    from bi.fact_inventory_snapshot as snapshot
    group by snapshot.tenant_id
)

select
    snapshot.tenant_id,
    snapshot.date,
    snapshot.product_code,
    product.name as product_name,
    snapshot.location,
    snapshot.stock_qty,
    snapshot.safety_stock_qty,
    snapshot.reserved_qty,
    snapshot.available_qty,
    snapshot.in_transit_qty,
    snapshot.stock_value,
    snapshot.avg_daily_usage,
    snapshot.available_qty / nullif(snapshot.avg_daily_usage, 0) as coverage_days,
    case
        when snapshot.available_qty < snapshot.safety_stock_qty then 'below_safety'
        when snapshot.safety_stock_qty = 0 then null
        when snapshot.available_qty < 1.5 * snapshot.safety_stock_qty then 'low'
        when snapshot.available_qty > 3 * snapshot.safety_stock_qty then 'excess'
        when snapshot.safety_stock_qty is not null then 'normal'
    end as status
from bi.fact_inventory_snapshot as snapshot
inner join newest on newest.tenant_id = snapshot.tenant_id and snapshot.date > newest.date - 30
left join bi.dim_product as product
    on product.tenant_id = snapshot.tenant_id and product.product_code = snapshot.product_code
