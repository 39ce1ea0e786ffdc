/* What libcurl does with nothing around it: the yardstick of reading.
 *
 *   fetch ranges URL BYTES RANGE_BYTES CONNECTIONS FILE   one object, in ranges, into a file
 *   fetch files CONNECTIONS                               the URLs on stdin, redirects followed, kept nowhere
 *
 * Prints the seconds. Two threads share the connections evenly; each has a multi handle, as hubfs does.
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2, CONNECTIONS_MAX = 128, URLS_MAX = 100000 };

struct job {
    off_t position; /* where the next byte of this transfer belongs */
};

static char *urls[URLS_MAX];
static long job_count;
static _Atomic long next_job;
static off_t total, range_bytes;
static int file = -1, connections;

static void die(const char *why) {
    fprintf(stderr, "fetch: %s\n", why);
    exit(1);
}

static size_t keep(char *bytes, size_t size, size_t count, void *context) {
    struct job *job = context;
    size_t length = size * count;
    if (file >= 0 && pwrite(file, bytes, length, job->position) != (ssize_t)length) return 0;
    job->position += length;
    return length;
}

/* Gives a handle its next piece of work; 0 when there is none. */
static int prepare(CURL *easy, struct job *job) {
    long number = atomic_fetch_add(&next_job, 1);
    if (number >= job_count) return 0;
    job->position = 0;
    if (range_bytes) {
        off_t start = number * range_bytes, end = start + range_bytes;
        char range[64];
        if (end > total) end = total;
        snprintf(range, sizeof range, "%lld-%lld", (long long)start, (long long)end - 1);
        curl_easy_setopt(easy, CURLOPT_RANGE, range);
        curl_easy_setopt(easy, CURLOPT_URL, urls[0]);
        job->position = start;
    } else {
        curl_easy_setopt(easy, CURLOPT_URL, urls[number]);
    }
    return 1;
}

static void check(CURLMsg *message) {
    long status = 0;
    curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
    if (message->data.result != CURLE_OK) die(curl_easy_strerror(message->data.result));
    if (status != (range_bytes ? 206 : 200)) die("unexpected status");
}

static void *transfer(void *unused) {
    CURLM *multi = curl_multi_init();
    struct job jobs[CONNECTIONS_MAX];
    int running = 0, left;
    (void)unused;
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)connections * 2);
    for (int i = 0; i < connections / THREADS; i++) {
        CURL *easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &jobs[i]);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, &jobs[i]);
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 512L << 10);
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        if (prepare(easy, &jobs[i])) curl_multi_add_handle(multi, easy), running++;
    }
    while (running > 0) {
        CURLMsg *message;
        curl_multi_perform(multi, &left);
        while ((message = curl_multi_info_read(multi, &left))) {
            CURL *easy = message->easy_handle;
            struct job *job;
            check(message);
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&job);
            curl_multi_remove_handle(multi, easy);
            if (prepare(easy, job)) curl_multi_add_handle(multi, easy);
            else running--;
        }
        if (running > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    return NULL;
}

static void read_urls(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while (job_count < URLS_MAX && (length = getline(&line, &room, stdin)) > 1) {
        line[length - 1] = 0;
        urls[job_count++] = strdup(line);
    }
}

int main(int count, char **words) {
    pthread_t threads[THREADS];
    struct timespec start, end;
    if (count == 7 && !strcmp(words[1], "ranges")) {
        urls[0] = words[2];
        total = atoll(words[3]);
        range_bytes = atoll(words[4]);
        connections = atoi(words[5]);
        file = open(words[6], O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (file < 0) die("cannot open the file");
        job_count = (total + range_bytes - 1) / range_bytes;
    } else if (count == 3 && !strcmp(words[1], "files")) {
        connections = atoi(words[2]);
        read_urls();
    } else {
        die("what? see the top of fetch.c");
    }
    if (connections < THREADS || connections / THREADS > CONNECTIONS_MAX) die("connections?");
    curl_global_init(CURL_GLOBAL_ALL);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, transfer, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%f\n", (end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9);
    return 0;
}
