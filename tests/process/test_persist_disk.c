/* Memory that persists on a full disk: it says so, answers all the same, and writes as soon as
 * there is room. */
#include "tests/process/scene.h"
#include "tests/process/small_disk.h"

#include <stdio.h>
#include <string.h>

PROCESS_SUITE(persist_disk);

#define ENTRIES (2 * DISK_MB * 16)

Test(persist_disk, a_full_one_costs_nothing_while_it_serves)
{
	char target[32];

	mount_small_disk();
	scene_flag("--backend=memory");
	scene_flag("--persist-every=0.1");
	scene_start();
	for (int i = 0; i < ENTRIES; i++)
		expect_status(put_large(i), 201);
	expect_status(http_post(scene.client, "/sync", SLICE("")), 507);
	const struct http_answer *answer = http_get(scene.client, "/readyz");
	expect_status(answer, 503);
	expect_that(answer, strstr(answer->body, "copy"), "expected the failed check");
	answer = http_get(scene.client, "/metrics");
	expect_that(answer, strstr(answer->body, "steadycache_persist_failing 1\n"),
		    "expected the gauge");
	for (int i = 0; i < ENTRIES; i += 17)
		expect_large(i);
	for (int i = 20; i < ENTRIES; i++) {
		(void)snprintf(target, sizeof(target), "/cache/ns/k%d", i);
		expect_status(http_delete(scene.client, target), 204);
	}
	cr_assert(
		await_condition(http_post(scene.client, "/sync", SLICE(""))->status == 204, 15000));
	expect_status(http_get(scene.client, "/readyz"), 200);
	scene_kill();
	scene_start();
	cr_expect_eq(scene_stat("entry_count"), 20);
	for (int i = 0; i < 20; i++)
		expect_large(i);
	scene_stop();
}
