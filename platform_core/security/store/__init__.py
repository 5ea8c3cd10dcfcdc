"""All SQL about who may do what.

Each statement names the tenant, except those in `CROSS_TENANT` of a module: they look up what is unguessable (a hash),
a key's prefix, a client's id or a name together with a tenant's slug, and so find out the tenant.
"""
