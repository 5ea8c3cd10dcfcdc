with snapshot as (
    select
        inventory.tenant_id,
        inventory.date,
        inventory.product_code,
        inventory.location,
        sum(inventory.stock_qty) as stock_qty,
        sum(inventory.safety_stock_qty) as safety_stock_qty,
        sum(inventory.reserved_qty) as reserved_qty,
        sum(inventory.in_transit_qty) as in_transit_qty,
        sum(inventory.issue_qty) as issue_qty,
        sum(inventory.avg_daily_usage) as avg_daily_usage,
        sum(inventory.stock_qty * inventory.unit_cost) as stock_value,
        max(inventory.last_receipt_date) as last_receipt_date,
        max(inventory.last_issue_date) as last_issue_date
    from staging.stg_inventory as inventory
    where inventory.date between cast(:from_date as date) - 29 and cast(:to_date as date)
    group by inventory.tenant_id, inventory.date, inventory.product_code, inventory.location
),

used as (
    select
        snapshot.tenant_id,
        snapshot.date,
        snapshot.product_code,
        snapshot.location,
        snapshot.stock_qty,
        snapshot.safety_stock_qty,
        snapshot.reserved_qty,
        snapshot.in_transit_qty,
        snapshot.issue_qty,
        coalesce(
            snapshot.avg_daily_usage,
            avg(snapshot.issue_qty) over (
                partition by snapshot.tenant_id, snapshot.product_code, snapshot.location
                order by snapshot.date
                range between interval '29 days' preceding and current row
            )
        ) as avg_daily_usage,
        snapshot.stock_value,
        snapshot.last_receipt_date,
        snapshot.last_issue_date
    from snapshot
)

select
    used.tenant_id,
    used.date,
    used.product_code,
    used.location,
    used.stock_qty,
    used.safety_stock_qty,
    used.reserved_qty,
    used.stock_qty - coalesce(used.reserved_qty, 0) as available_qty,
    used.in_transit_qty,
    used.issue_qty,
    used.stock_value,
    used.avg_daily_usage,
    used.stock_qty / nullif(used.avg_daily_usage, 0) as coverage_days,
    used.last_receipt_date,
    used.last_issue_date
from used
where used.date between :from_date and :to_date
