#include "client/options.h"

#include <stddef.h>

const struct client_option client_options[OPT_COUNT] = {
#define X(id, letter, name, value, help) {letter, name, value, help},
	CLIENT_OPTIONS(X)
#undef X
};
