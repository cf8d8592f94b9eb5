#include "server/http/answer_park.h"

void answer_park_begin(struct answer_park *park)
{
	atomic_store(&park->park, PARK_RUNNING);
}

void answer_park_wake(struct answer_park *park)
{
	if (atomic_exchange(&park->park, PARK_DONE) == PARK_SUSPENDED)
		MHD_resume_connection(park->connection);
}

bool answer_park_wait(struct answer_park *park)
{
	if (atomic_load(&park->park) == PARK_DONE)
		return true;
	park->parked = true;
	(void)atomic_fetch_add(&park->shared->parked, 1);
	MHD_suspend_connection(park->connection);
	if (atomic_exchange(&park->park, PARK_SUSPENDED) == PARK_DONE) {
		atomic_store(&park->park, PARK_DONE);
		MHD_resume_connection(park->connection);
	}
	return false;
}

bool answer_park_is_waiting(struct answer_park *park)
{
	if (park->parked && atomic_load(&park->park) != PARK_DONE)
		return true;
	answer_park_end(park);
	return false;
}

void answer_park_end(struct answer_park *park)
{
	if (park->parked)
		(void)atomic_fetch_sub(&park->shared->parked, 1);
	park->parked = false;
}
