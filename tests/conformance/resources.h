/* The resources that require a token, for tests that go through all of them. A test compares the
 * table with the description of the API. */
#ifndef STEADYCACHE_CONFORMANCE_RESOURCES_H
#define STEADYCACHE_CONFORMANCE_RESOURCES_H

struct resource {
	const char *method;  /* NULL: the end of the table */
	const char *pattern; /* of the path, as the description writes it */
	const char *target;  /* a path */
	const char *feature; /* requires_feature(); NULL: every implementation has it */
};

extern const struct resource resources[];

#endif
