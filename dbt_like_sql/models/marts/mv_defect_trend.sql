with newest as (
    select production.tenant_id, max(production.date) as date
    from bi.fact_daily_production as production
    group by production.tenant_id
),

-- One row for each shift before production is joined: a second defect type must not double the volumes.
typed as (
    select
        defect.tenant_id,
        defect.date,
        defect.line_code,
        defect.product_code,
        defect.shift,
        sum(defect.defect_qty) as typed_defect_qty,
        sum(defect.defect_cost) as defect_cost,
        jsonb_agg(
            jsonb_build_object('type', defect.defect_type, 'qty', defect.defect_qty)
            order by defect.defect_qty desc, defect.defect_type
        ) as top_defect_types
    from bi.fact_daily_defect as defect
    inner join newest on newest.tenant_id = defect.tenant_id and defect.date > newest.date - 90
    group by defect.tenant_id, defect.date, defect.line_code, defect.product_code, defect.shift
),

-- Six days more than are shown, so that the first of them has its seven days too.
trend as (
    select
        production.tenant_id,
        production.date,
        production.line_code,
        production.product_code,
        production.shift,
        production.total_qty,
        production.defect_qty,
        sum(production.defect_qty) over week / nullif(sum(production.total_qty) over week, 0) as defect_rate_7d_avg,
        newest.date - 90 as before_date
    from bi.fact_daily_production as production
    inner join newest on newest.tenant_id = production.tenant_id and production.date > newest.date - 96
    window week as (
        partition by production.tenant_id, production.line_code, production.product_code
        order by production.date
        range between interval '6 days' preceding and current row
    )
)

select
    trend.tenant_id,
    trend.date,
    trend.line_code,
    line.name as line_name,
    trend.product_code,
    product.name as product_name,
    trend.shift,
    trend.total_qty,
    trend.defect_qty,
    trend.defect_qty / nullif(trend.total_qty, 0) as defect_rate,
    trend.defect_rate_7d_avg,
    coalesce(typed.top_defect_types, '[]') as top_defect_types,
    trend.defect_qty - coalesce(typed.typed_defect_qty, 0) as untyped_defect_qty,
    typed.defect_cost
from trend
left join typed
    on typed.tenant_id = trend.tenant_id
        and typed.date = trend.date
        and typed.line_code = trend.line_code
        and typed.product_code = trend.product_code
        and typed.shift = trend.shift
left join bi.dim_line as line on line.tenant_id = trend.tenant_id and line.line_code = trend.line_code
left join bi.dim_product as product
    on product.tenant_id = trend.tenant_id and product.product_code = trend.product_code
where trend.date > trend.before_date
