/* What WebDAV (RFC 4918) adds to entries: listings of what is below a path. */
#include "server/http/routes_webdav.h"

#define DAV(method, path, symbol, needed)                                                          \
	{                                                                                          \
		.methods = (method), .pattern = (path), .handler = &(symbol), .right = (needed)    \
	}

const struct route routes_webdav[ROUTES_WEBDAV] = {
	DAV(HTTP_PROPFIND, "/cache/{ns}/{key}", handler_webdav_find, RIGHT_READ),
	DAV(HTTP_PROPFIND, "/cache/{ns}/", handler_webdav_find, RIGHT_READ),
	DAV(HTTP_PROPFIND, "/cache/{ns}", handler_webdav_find, RIGHT_READ),
	/* These show only the namespaces that the token may use. */
	DAV(HTTP_PROPFIND, "/cache/", handler_webdav_find_namespaces, RIGHT_READ),
	DAV(HTTP_PROPFIND, "/cache", handler_webdav_find_namespaces, RIGHT_READ),
	{.methods = HTTP_DELETE,
	 .pattern = "/cache/{ns}/{key}",
	 .handler = &handler_webdav_remove,
	 .right = RIGHT_WRITE,
	 .is_collection = true},
	DAV(HTTP_MKCOL, "/cache/{ns}/{key}", handler_webdav_make, RIGHT_WRITE),
	DAV(HTTP_MKCOL, "/cache/{ns}/", handler_webdav_make, RIGHT_WRITE),
	DAV(HTTP_MKCOL, "/cache/{ns}", handler_webdav_make, RIGHT_WRITE),
};
