# Embeds the policy that runs in Redis (backends/redis/script/*.lua, joined in the order of their names)
# into steadycache_redis.
file(GLOB redis_parts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/backends/redis/script/*.lua)
set(redis_generated ${CMAKE_BINARY_DIR}/generated/redis)
add_custom_command(OUTPUT ${redis_generated}/script_text.c
	DEPENDS ${redis_parts} ${CMAKE_SOURCE_DIR}/cmake/embed_redis_script.cmake
	COMMAND ${CMAKE_COMMAND} -DOUTPUT=${redis_generated} "-DPARTS=${redis_parts}"
		-P ${CMAKE_SOURCE_DIR}/cmake/embed_redis_script.cmake
	COMMENT "Embedding the script for Redis" VERBATIM)
target_sources(steadycache_redis PRIVATE ${redis_generated}/script_text.c)
