# libsteadycache.a: the store without a server, for other programs. All object files are linked into one, and
# names that no header offers (hidden visibility) become local to it, so that they cannot clash with the
# program's. docs/internals/embedding.md.
set(embedded base contract policy keeper memory sqlite persist remote aws large d1 dynamodb redis tiered routed
	plugin backends)
list(TRANSFORM embedded REPLACE "(.+)" "$<TARGET_OBJECTS:steadycache_\\1>" OUTPUT_VARIABLE objects)
set(archive ${CMAKE_BINARY_DIR}/libsteadycache.a)
set(linked ${CMAKE_BINARY_DIR}/steadycache_embedded.o)
add_custom_command(OUTPUT ${archive}
	DEPENDS ${objects}
	COMMAND ${CMAKE_LINKER} -r -o ${linked} ${objects}
	COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${linked}
	COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
	COMMAND ${CMAKE_AR} rcs ${archive} ${linked}
	COMMAND_EXPAND_LISTS VERBATIM COMMENT "Linking libsteadycache.a")
add_custom_target(libsteadycache ALL DEPENDS ${archive})
