/* The settings of a namespace that nobody has configured. The Worker has no defaults of its own:
 * each request sends them. */
#ifndef STEADYCACHE_D1_DEFAULTS_H
#define STEADYCACHE_D1_DEFAULTS_H

#include "backends/remote/protocol.h"
#include "store/rules.h"

#define D1_DEFAULT_POLICY EVICT_FRECENCY

static inline void d1_defaults_of(const struct remote_context *context, struct slice ns,
				  struct namespace_settings *ret)
{
	rules_default_settings(context->config, D1_DEFAULT_POLICY, ns, ret);
}

#endif
