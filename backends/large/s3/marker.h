/* Removals and puts of one object by different servers.
 *
 * S3 has no "delete it if it is still that old". So a removal puts a marker (an object without
 * bytes, "prefix/removing/HASH"), then looks at the object's age, deletes it if it is old, and
 * deletes the marker. A put looks for a marker after it has put the object. Stores are consistent:
 * what is done is seen by whoever asks later. So of a put and a removal
 *  - either the marker came before the put's look: the put waits for the end of the removal, and
 * puts the object again if it is gone;
 *  - or the marker came after it, so the removal's look at the age came after the put, and finds a
 *    young object.
 * A removal that took longer than LIMIT from the marker to the deletion gives up; a marker older
 * than STALE is of a server that died.
 *
 * Within a server see answer.h. The thread of io.h. */
#ifndef STEADYCACHE_LARGE_S3_MARKER_H
#define STEADYCACHE_LARGE_S3_MARKER_H

#include "backends/large/s3/answer.h"

/* After a put: `again` puts the object once more, `finish` ends the errand. */
void s3_marker_settle(struct s3_errand *errand, void (*again)(struct s3_errand *errand),
		      void (*finish)(struct s3_errand *errand, const struct s3_verdict *verdict));

/* A removal of objects put before request->put_before_us; ends and frees the errand. */
void s3_marker_remove(struct s3_errand *errand);

#endif
