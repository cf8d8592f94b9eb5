/* WebDAV: its rows. */
#ifndef STEADYCACHE_SERVER_ROUTES_WEBDAV_H
#define STEADYCACHE_SERVER_ROUTES_WEBDAV_H

#include "server/http/router.h"

#define ROUTES_WEBDAV 9
extern const struct route routes_webdav[ROUTES_WEBDAV];

#endif
