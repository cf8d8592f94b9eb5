/* Content types of PUT, which the server needs when the body begins. */
#ifndef STEADYCACHE_HANDLERS_ENTRY_H
#define STEADYCACHE_HANDLERS_ENTRY_H

/* The type that a PUT whose Content-Type is `given` (NULL: there is none) stores; NULL: the default
 * one, also in place of that of HTML forms, which curl, urllib, Ruby and PHP send unasked. */
const char *entry_content_type(const char *given);

#endif
