/* A keeper over the driver with faults (tests/drivers/faulty.h), with a clock that the test moves,
 * and operations in one line on the namespace "n". For one backend at a time. */
#ifndef STEADYCACHE_TEST_KEEPER_SCENE_H
#define STEADYCACHE_TEST_KEEPER_SCENE_H

#include "store/find.h"
#include "tests/drivers/faulty.h"

extern struct backend *scene_backend;
extern _Atomic int64_t scene_now_us;

/* Opens it over the medium of that name; `ops` is one of faulty.h. If it fails: NULL, with the
 * sentence in scene_error. */
struct backend *scene_open(const struct backend_ops *ops, const char *medium);
void scene_close(void);
extern char scene_error[256];
/* The keeper's last notice. */
extern char scene_notice[256];

enum cache_status scene_set(struct slice key, struct slice value);
enum cache_status scene_set_if_absent(struct slice key, struct slice value);
enum cache_status scene_delete(struct slice key);
enum cache_status scene_sync(void);
enum cache_status scene_configure(unsigned mask, struct namespace_settings settings);
/* CACHE_OK if the value is `value`, CACHE_INVALID if it is another. */
enum cache_status scene_get(struct slice key, struct slice value);
struct namespace_stats scene_stats(void);
/* The keys in one text, each with its frequency: "a:1 b:3". Static storage. */
const char *scene_list(void);
/* The figure "keeper"/`name`. */
double scene_gauge(const char *name);

#endif
