/* The remote cache of Nx, at the root and below a namespace. What is read below a namespace is an
 * entry as any other. */
#include "server/http/routes_nx.h"

#define PATH     "v1/cache/"
#define KEY_BACK (sizeof(PATH) - 1)

const struct route routes_nx[ROUTES_NX] = {
	{.methods = HTTP_GET | HTTP_HEAD,
	 .pattern = "/" PATH "{key}",
	 .handler = &handler_entry_get,
	 .right = RIGHT_READ,
	 .key_back = KEY_BACK,
	 .ns_parameters = "",
	 .ns_default = "nx"},
	{.methods = HTTP_PUT,
	 .pattern = "/" PATH "{key}",
	 .handler = &handler_nx_put,
	 .right = RIGHT_WRITE,
	 .key_back = KEY_BACK,
	 .parameters = "ttl, ",
	 .ns_parameters = "",
	 .ns_default = "nx"},
	{.methods = HTTP_PUT,
	 .pattern = "/cache/{ns}/" PATH "{key}",
	 .handler = &handler_nx_put,
	 .right = RIGHT_WRITE,
	 .key_back = KEY_BACK,
	 .parameters = "ttl, "},
};
