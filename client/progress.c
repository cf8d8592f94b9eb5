#include "client/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "client/output.h"

#define REDRAW_MS    100
#define BAR_CELLS    20
#define ERASE_TO_END "\033[K"

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_start(struct progress *progress, bool quiet, uint64_t total_bytes)
{
	*progress = (struct progress){
		.shown = !quiet && isatty(STDERR_FILENO),
		.total_bytes = total_bytes,
		.started_ms = now_ms(),
	};
}

static void draw(const struct progress *progress)
{
	double seconds = (double)(progress->drawn_ms - progress->started_ms) / 1000;
	char size[16], rate[16];

	(void)fputc('\r', stderr);
	if (progress->total_bytes > 0) {
		uint64_t cells = progress->bytes * BAR_CELLS / progress->total_bytes;

		(void)fputc('[', stderr);
		for (uint64_t i = 0; i < BAR_CELLS; i++)
			(void)fputc(i < cells ? '#' : '.', stderr);
		(void)fputs("] ", stderr);
	}
	(void)fputs(output_size((double)progress->bytes, size), stderr);
	if (!progress->bytes_only)
		(void)fprintf(stderr, ", %" PRIu64 " entries", progress->entries);
	(void)fprintf(stderr, ", %s/s" ERASE_TO_END,
		      output_size(seconds > 0 ? (double)progress->bytes / seconds : 0, rate));
}

void progress_add(struct progress *progress, uint64_t bytes, uint64_t entries)
{
	progress->bytes += bytes;
	progress->entries += entries;
	if (!progress->shown)
		return;
	int64_t now = now_ms();
	if (now - progress->drawn_ms < REDRAW_MS)
		return;
	progress->drawn_ms = now;
	draw(progress);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		(void)fputs("\r" ERASE_TO_END, stderr);
	progress->shown = false;
}
