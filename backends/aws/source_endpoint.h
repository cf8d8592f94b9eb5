/* Keys of a container's or an instance's role, from an endpoint beside it. */
#ifndef STEADYCACHE_AWS_SOURCE_ENDPOINT_H
#define STEADYCACHE_AWS_SOURCE_ENDPOINT_H

#include "backends/aws/source.h"

/* The endpoint that AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI names. NULL with a
 * sentence: the address is not one that may be asked (over HTTP only this machine, and the
 * addresses of ECS and EKS), or out of memory; NULL with an empty one: none is named. */
struct aws_source *aws_source_container(char *error, size_t error_size);

/* The metadata service of an instance, version 2 (AWS_EC2_METADATA_SERVICE_ENDPOINT,
 * AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE). NULL with a sentence: out of memory; NULL with an empty
 * one: AWS_EC2_METADATA_DISABLED is true. */
struct aws_source *aws_source_instance(char *error, size_t error_size);

#endif
