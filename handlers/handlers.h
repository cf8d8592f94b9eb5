/* All handlers. server/http/routes.c says which path leads to which. */
#ifndef STEADYCACHE_HANDLERS_H
#define STEADYCACHE_HANDLERS_H

#include "handlers/respond/request.h"

/* /api/...: the D1 proxy API (d1api.c). All are POST with a JSON object. */
extern const struct handler handler_d1_init;
extern const struct handler handler_d1_get;
extern const struct handler handler_d1_set;
extern const struct handler handler_d1_delete;
extern const struct handler handler_d1_exists;
extern const struct handler handler_d1_batch_get;
extern const struct handler handler_d1_batch_set;
extern const struct handler handler_d1_batch_delete;
extern const struct handler handler_d1_clear;
extern const struct handler handler_d1_stats;

/* /cache/{ns}/{key} (entry.c, entry_put.c, entry_upload.c, entry_expire.c) */
extern const struct handler handler_entry_get; /* GET and HEAD */
extern const struct handler handler_entry_put;
extern const struct handler handler_entry_upload; /* a PUT of a large value */
extern const struct handler handler_entry_delete;
extern const struct handler handler_entry_expire; /* PATCH: another time to live */

/* /cache, /cache/{ns} (namespace.c) */
extern const struct handler handler_namespaces_get;  /* GET /cache: all namespaces */
extern const struct handler handler_namespace_list;  /* GET: keys */
extern const struct handler handler_namespace_put;   /* PUT: limits */
extern const struct handler handler_namespace_clear; /* DELETE */

/* /batch/{ns}/... (batch.c); POST */
extern const struct handler handler_batch_get;
extern const struct handler handler_batch_set;
extern const struct handler handler_batch_delete;
extern const struct handler handler_batch_exists;
extern const struct handler handler_batch_expire;

/* /openapi.yaml, /openapi.json (openapi.c) */
extern const struct handler handler_openapi_yaml;
extern const struct handler handler_openapi_json;

/* /stats, /stats/{ns}, /healthz, /readyz, /sync (stats.c, health.c) */
extern const struct handler handler_stats;
extern const struct handler handler_namespace_stats;
extern const struct handler handler_healthz;
extern const struct handler handler_readyz;
extern const struct handler handler_sync; /* POST */

/* /export, /import (export.c, import.c) */
extern const struct handler handler_export; /* GET and HEAD */
extern const struct handler handler_import; /* POST */

/* /watch/{ns} (watch.c) */
extern const struct handler handler_watch; /* GET and HEAD */

/* /pickle (pickle.c) */
extern const struct handler handler_pickle_view; /* POST */

/* Facades (handlers/facade): routes for clients that speak somebody else's protocol. */
extern const struct handler handler_turborepo_status;       /* turborepo.c */
extern const struct handler handler_turborepo_events;       /* POST */
extern const struct handler handler_nx_put;                 /* nx.c */
extern const struct handler handler_webdav_find;            /* PROPFIND (webdav.c) */
extern const struct handler handler_webdav_find_namespaces; /* PROPFIND of /cache */
extern const struct handler handler_webdav_remove;          /* DELETE of a collection */
extern const struct handler handler_webdav_make;            /* MKCOL */

/* /metrics (metrics.c) */
extern const struct handler handler_metrics;

/* /admin/log-level (log_level.c) */
extern const struct handler handler_log_level_get; /* GET and HEAD */
extern const struct handler handler_log_level_put;

/* /docs, /ui, /assets/{key} (pages.c) */
extern const struct handler handler_docs;
extern const struct handler handler_ui;
extern const struct handler handler_assets;

#endif
