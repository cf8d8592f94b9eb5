/* Content types of PUT, which the server needs when the body begins. */
#ifndef STEADYCACHE_HANDLERS_ENTRY_H
#define STEADYCACHE_HANDLERS_ENTRY_H

/* The type that a PUT with the Content-Type `given` stores (NULL: there is none). NULL: the default
 * type, which also replaces that of HTML forms, because curl, urllib, Ruby and PHP send that
 * unasked. */
const char *entry_content_type(const char *given);

#endif
