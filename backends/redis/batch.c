#include "backends/redis/batch.h"

#include <stdlib.h>

void redis_batch_empty(struct redis_batch *batch)
{
	/* The last first: what was taken out later goes back behind what was taken before. */
	for (size_t i = batch->count; i-- > 0;) {
		struct redis_command *command = &batch->commands[i];

		if (command->kind == COMMAND_USE)
			redis_uses_put_back(&command->part->uses, &command->uses);
		if (command->part)
			command->part->space->users--;
	}
	batch->count = 0;
	batch->writes = false;
	batch->hears = false;
	batch->route = 0;
}

void redis_batch_free(struct redis_batch *batch)
{
	if (!batch)
		return;
	redis_batch_empty(batch);
	for (size_t i = 0; i < batch->named_count; i++)
		batch->named[i]->space->users--;
	free(batch->named);
	free(batch->commands);
	buffer_deinit(&batch->after);
	free(batch);
}

struct redis_command *redis_batch_add(struct redis_batch *batch, enum redis_kind kind,
				      struct redis_part *part, struct remote_job *job)
{
	if (batch->count == batch->capacity) {
		size_t capacity = batch->capacity ? 2 * batch->capacity : 4;
		struct redis_command *grown = realloc(batch->commands, capacity * sizeof(*grown));

		if (!grown)
			return NULL;
		batch->commands = grown;
		batch->capacity = capacity;
	}
	struct redis_command *command = &batch->commands[batch->count++];
	*command = (struct redis_command){
		.kind = kind,
		.part = part,
		.job = job,
		.last_job = job,
		.item_count = job ? job->item_count : 0,
	};
	if (job)
		job->grouped = NULL;
	if (part)
		part->space->users++;
	return command;
}

struct redis_command *redis_batch_share(struct redis_batch *batch, enum redis_kind kind,
					struct redis_part *part, struct remote_job *job)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct redis_command *command = &batch->commands[i];

		if (command->kind != kind || command->part != part)
			continue;
		command->last_job->grouped = job;
		command->last_job = job;
		command->item_count += job->item_count;
		job->grouped = NULL;
		return command;
	}
	return redis_batch_add(batch, kind, part, job);
}
