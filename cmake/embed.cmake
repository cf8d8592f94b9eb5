# libsteadycache: the store without a server, for other programs (docs/library.md, docs/internals/embedding.md).
# Of its names a program sees only those of include/steadycache/steadycache.h.
include(GNUInstallDirs)

set(embedded base contract policy keeper memory sqlite persist remote aws large d1 dynamodb redis tiered packed routed
	plugin backends library)
list(TRANSFORM embedded REPLACE "(.+)" "$<TARGET_OBJECTS:steadycache_\\1>" OUTPUT_VARIABLE objects)

# Static: all object files are linked into one, and hidden names become local to it, so that they cannot clash
# with the program's.
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

# Shared. It stays loaded (nodelete): a handler of SIGBUS, once installed, stays too.
set(exports ${CMAKE_SOURCE_DIR}/library/exports.map)
add_library(steadycache_shared SHARED ${objects})
target_link_libraries(steadycache_shared PRIVATE steadycache_flags PkgConfig::sqlite3 PkgConfig::libcurl
	PkgConfig::jansson PkgConfig::nettle PkgConfig::xxhash PkgConfig::hiredis PkgConfig::gnutls
	PkgConfig::expat PkgConfig::zlib PkgConfig::zstd Threads::Threads m ${CMAKE_DL_LIBS})
target_link_options(steadycache_shared PRIVATE -Wl,--version-script=${exports} -Wl,-z,nodelete
	-Wl,-z,text $<$<STREQUAL:${SANITIZER},>:-Wl,-z,defs>)
set_target_properties(steadycache_shared PROPERTIES LINKER_LANGUAGE C LINK_DEPENDS ${exports}
	OUTPUT_NAME steadycache VERSION ${PROJECT_VERSION} SOVERSION 0)

# ---- Installed ----

install(TARGETS steadycache_shared
	LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
install(FILES ${archive} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(FILES include/steadycache/steadycache.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/steadycache
	COMPONENT development)
install(FILES library/man/libsteadycache.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT development)
install(DIRECTORY examples DESTINATION share/doc/steadycache COMPONENT development PATTERN __pycache__ EXCLUDE)
# The prefix may be another one at the time of installation.
install(CODE "
	set(PC_LIBDIR \"${CMAKE_INSTALL_LIBDIR}\")
	set(PC_INCLUDEDIR \"${CMAKE_INSTALL_INCLUDEDIR}\")
	set(PC_VERSION \"${PROJECT_VERSION}\")
	configure_file(\"${CMAKE_SOURCE_DIR}/library/steadycache.pc.in\"
		\"${CMAKE_BINARY_DIR}/steadycache.pc\" @ONLY)
	file(INSTALL \"${CMAKE_BINARY_DIR}/steadycache.pc\"
		DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig\")" COMPONENT development)
