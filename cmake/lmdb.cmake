# The plugin over LMDB (docs/lmdb.md), if LMDB is there. It uses nothing of the project but driver.h, and is
# also built without it:
#
#     cc -std=gnu17 -D_GNU_SOURCE -O2 -fPIC -shared -fvisibility=hidden plugins/lmdb/*.c -o lmdb.so \
#         $(pkg-config --cflags --libs steadycache-driver lmdb) -pthread
pkg_check_modules(lmdb IMPORTED_TARGET lmdb>=0.9.22)
option(WITH_LMDB "Build the plugin over LMDB" ${lmdb_FOUND})
if(WITH_LMDB AND NOT lmdb_FOUND)
	message(FATAL_ERROR "WITH_LMDB needs LMDB with its lmdb.pc: Debian's package liblmdb-dev")
endif()
if(WITH_LMDB)
	file(GLOB lmdb_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/plugins/lmdb/*.c)
	# NAME of the library, and what else it is compiled with.
	function(steadycache_lmdb_plugin name)
		add_library(${name} MODULE ${lmdb_sources})
		target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/include)
		target_compile_definitions(${name} PRIVATE ${ARGN})
		target_link_libraries(${name} PRIVATE steadycache_flags PkgConfig::lmdb Threads::Threads)
		set_target_properties(${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
			LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
	endfunction()
	steadycache_lmdb_plugin(lmdb)
	install(TARGETS lmdb LIBRARY DESTINATION lib/steadycache/plugins COMPONENT lmdb)
endif()
