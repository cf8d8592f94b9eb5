/* Opening and closing an exchange. */
#ifndef STEADYCACHE_SERVER_EXCHANGE_LIFE_H
#define STEADYCACHE_SERVER_EXCHANGE_LIFE_H

#include "server/http/exchange_state.h"

/* For MHD_OPTION_URI_LOG_CALLBACK: a request begins. Returns its state. */
void *exchange_life_open(void *cls, const char *target, struct MHD_Connection *connection);

/* Closes the exchanges that the library has opened on a connection and never completed. */
void exchange_life_abandon(struct exchange_shared *shared, struct connection *record);

/* For MHD_OPTION_NOTIFY_COMPLETED. */
void exchange_life_completed(void *cls, struct MHD_Connection *connection, void **state,
			     enum MHD_RequestTerminationCode code);

#endif
