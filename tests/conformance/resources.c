/* Resources that require a token from every client: /metrics has rules of its own
 * (test_tokens.c). */
#include "tests/conformance/resources.h"

#include <stddef.h>

const struct resource resources[] = {
	{"GET", "/cache", "/cache", NULL},
	{"GET", "/cache/{ns}", "/cache/ns", NULL},
	{"PUT", "/cache/{ns}", "/cache/ns", NULL},
	{"DELETE", "/cache/{ns}", "/cache/ns?all", NULL},
	{"GET", "/cache/{ns}/{key}", "/cache/ns/k", NULL},
	{"HEAD", "/cache/{ns}/{key}", "/cache/ns/k", NULL},
	{"PUT", "/cache/{ns}/{key}", "/cache/ns/k", NULL},
	{"DELETE", "/cache/{ns}/{key}", "/cache/ns/k", NULL},
	{"POST", "/batch/{ns}/get", "/batch/ns/get", NULL},
	{"POST", "/batch/{ns}/set", "/batch/ns/set", NULL},
	{"POST", "/batch/{ns}/exists", "/batch/ns/exists", NULL},
	{"POST", "/batch/{ns}/delete", "/batch/ns/delete", NULL},
	{"GET", "/stats", "/stats", NULL},
	{"GET", "/stats/{ns}", "/stats/ns", NULL},
	{"POST", "/sync", "/sync", NULL},
	{"POST", "/pickle", "/pickle", "pickle"},
	{"POST", "/api/init", "/api/init", NULL},
	{"POST", "/api/get", "/api/get", NULL},
	{"POST", "/api/set", "/api/set", NULL},
	{"POST", "/api/delete", "/api/delete", NULL},
	{"POST", "/api/exists", "/api/exists", NULL},
	{"POST", "/api/batch/get", "/api/batch/get", NULL},
	{"POST", "/api/batch/set", "/api/batch/set", NULL},
	{"POST", "/api/batch/delete", "/api/batch/delete", NULL},
	{"POST", "/api/clear", "/api/clear", NULL},
	{"POST", "/api/stats", "/api/stats", NULL},
	{"GET", "/export", "/export", "export"},
	{"POST", "/import", "/import", "export"},
	{"GET", "/watch/{ns}", "/watch/ns", "watch"},
	{"GET", "/admin/log-level", "/admin/log-level", "log-level"},
	{"PUT", "/admin/log-level", "/admin/log-level", "log-level"},
	{NULL, NULL, NULL, NULL},
};
