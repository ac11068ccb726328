/* A USB camera without hardware: preloaded into a process, it answers for one device node as Linux's uvcvideo does.
 *
 * WEBCAM_NODE is the node, as /dev/video42, and WEBCAM_FOLDER a folder with three files (tests/servers/webcam.py):
 *   frames  the camera's format, and the pictures it shows again and again
 *   told    what happens to it: plugged, unplugged, stalled, busy, forbidden or metadata; read at every call
 *   memory  the buffers, which the process maps; whoever has locked it has the camera
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_OPEN = 16, BUFFERS = 8, FREE = 0, QUEUED = 1, DONE = 2 };

struct header { /* of the file `frames`; each picture follows its length, a uint32_t */
    uint32_t pixel_format, width, height, rate, count;
};

struct reader {
    int fd; /* 0: nobody */
    int nonblocking, gone, streaming, next_picture;
    uint32_t sequence;
    int64_t due_us;
    struct v4l2_buffer buffers[BUFFERS];
    int states[BUFFERS], filled[BUFFERS], filled_count; /* `filled`: those that are done, in order */
    unsigned buffer_count;
    uint8_t *memory;
};

static struct reader readers[MOST_OPEN];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const uint8_t *pictures; /* the file `frames` */
static int (*real_ioctl)(int, unsigned long, ...);
static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);

static int fail(int error) {
    errno = error;
    return -1;
}

static const struct header *camera(void) { return (const struct header *)pictures; }

static const uint8_t *picture(int number, uint32_t *size) {
    const uint8_t *at = pictures + sizeof(struct header);
    for (;; number--) {
        memcpy(size, at, sizeof *size);
        if (number == 0) return at + sizeof *size;
        at += sizeof *size + *size;
    }
}

static uint32_t buffer_bytes(void) {
    uint32_t most = 4096, size;
    for (uint32_t n = 0; n < camera()->count; n++) {
        picture((int)n, &size);
        if (size > most) most = size;
    }
    return (most + 4095) & ~4095u;
}

static void file_of_camera(char *path, size_t room, const char *name) {
    snprintf(path, room, "%s/%s", getenv("WEBCAM_FOLDER"), name);
}

static int is_told(const char *word) {
    char path[512], said[32] = "";
    file_of_camera(path, sizeof path, "told");
    int fd = real_open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = read(fd, said, sizeof said - 1);
    real_close(fd);
    return length > 0 && strcmp(said, word) == 0;
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void load(void) {
    real_ioctl = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    real_open = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    real_close = (int (*)(int))dlsym(RTLD_NEXT, "close");
    char path[512];
    struct stat about;
    file_of_camera(path, sizeof path, "frames");
    int fd = real_open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) < 0) abort();
    pictures = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    real_close(fd);
    if (pictures == MAP_FAILED) abort();
}

static void prepare(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
}

static int open_camera(int flags) {
    if (is_told("unplugged")) return fail(ENOENT);
    if (is_told("forbidden")) return fail(EACCES);
    char path[512];
    file_of_camera(path, sizeof path, "memory");
    int fd = real_open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return fd;
    pthread_mutex_lock(&lock);
    struct reader *self = readers;
    while (self->fd != 0 && self < readers + MOST_OPEN) self++;
    if (self == readers + MOST_OPEN) abort();
    self->fd = fd;
    self->nonblocking = (flags & O_NONBLOCK) != 0;
    pthread_mutex_unlock(&lock);
    return fd;
}

static struct reader *reader_of(int fd) {
    for (int n = 0; n < MOST_OPEN; n++)
        if (fd > 0 && readers[n].fd == fd) return &readers[n];
    return NULL;
}

int close(int fd) {
    prepare();
    pthread_mutex_lock(&lock);
    struct reader *self = reader_of(fd);
    if (self != NULL && self->memory != NULL) munmap(self->memory, (size_t)buffer_bytes() * self->buffer_count);
    if (self != NULL) memset(self, 0, sizeof *self);
    pthread_mutex_unlock(&lock);
    return real_close(fd);
}

static int open_any(const char *path, int flags, mode_t mode) {
    prepare();
    const char *node = getenv("WEBCAM_NODE");
    return node != NULL && strcmp(path, node) == 0 ? open_camera(flags) : real_open(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open_any(path, flags, mode);
}

static int describe(struct v4l2_capability *about) {
    uint32_t whole = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_META_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_DEVICE_CAPS;
    memset(about, 0, sizeof *about);
    strcpy((char *)about->driver, "uvcvideo");
    strcpy((char *)about->card, "Camera of tests");
    strcpy((char *)about->bus_info, "usb-0000:00:14.0-1");
    about->capabilities = whole; /* of the whole device, whose second node gives metadata only */
    about->device_caps = V4L2_CAP_STREAMING | (is_told("metadata") ? V4L2_CAP_META_CAPTURE : V4L2_CAP_VIDEO_CAPTURE);
    return 0;
}

static void describe_picture(struct v4l2_pix_format *form) {
    memset(form, 0, sizeof *form);
    form->width = camera()->width;
    form->height = camera()->height;
    form->pixelformat = camera()->pixel_format;
    form->field = V4L2_FIELD_NONE;
    form->bytesperline = form->pixelformat == V4L2_PIX_FMT_YUYV ? form->width * 2 : 0;
    form->sizeimage = form->pixelformat == V4L2_PIX_FMT_YUYV ? form->width * form->height * 2 : buffer_bytes();
    form->colorspace = V4L2_COLORSPACE_SRGB;
}

static int set_format(struct reader *self, struct v4l2_format *form) {
    if (form->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || is_told("metadata")) return fail(EINVAL);
    if (is_told("busy") || flock(self->fd, LOCK_EX | LOCK_NB) < 0) return fail(EBUSY);
    describe_picture(&form->fmt.pix); /* as drivers do: the nearest that there is */
    return 0;
}

static int rate(struct v4l2_streamparm *parameters) {
    if (parameters->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
    memset(&parameters->parm, 0, sizeof parameters->parm);
    parameters->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
    parameters->parm.capture.timeperframe = (struct v4l2_fract){1, camera()->rate};
    return 0;
}

static int request(struct reader *self, struct v4l2_requestbuffers *wanted) {
    if (wanted->memory != V4L2_MEMORY_MMAP) return fail(EINVAL);
    if (flock(self->fd, LOCK_EX | LOCK_NB) < 0) return fail(EBUSY);
    self->buffer_count = wanted->count < BUFFERS ? wanted->count : BUFFERS;
    wanted->count = self->buffer_count;
    if (wanted->count == 0) return 0;
    size_t room = (size_t)buffer_bytes() * self->buffer_count;
    if (ftruncate(self->fd, (off_t)room) < 0) return -1;
    self->memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
    return self->memory == MAP_FAILED ? -1 : 0;
}

static int look_up(struct reader *self, struct v4l2_buffer *buffer) {
    if (buffer->index >= self->buffer_count) return fail(EINVAL);
    buffer->length = buffer_bytes();
    buffer->m.offset = buffer->index * buffer->length;
    buffer->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    return 0;
}

static int queue(struct reader *self, const struct v4l2_buffer *buffer) {
    if (buffer->index >= self->buffer_count) return fail(EINVAL);
    self->states[buffer->index] = QUEUED;
    return 0;
}

static void show(struct reader *self) { /* the next picture, unless every buffer is in use: then it is lost */
    for (unsigned n = 0; n < self->buffer_count; n++) {
        if (self->states[n] != QUEUED) continue;
        struct v4l2_buffer *buffer = &self->buffers[n];
        memset(buffer, 0, sizeof *buffer);
        buffer->index = n;
        buffer->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        buffer->memory = V4L2_MEMORY_MMAP;
        look_up(self, buffer);
        const uint8_t *data = picture(self->next_picture, &buffer->bytesused);
        memcpy(self->memory + buffer->m.offset, data, buffer->bytesused);
        buffer->field = V4L2_FIELD_NONE;
        buffer->sequence = self->sequence;
        buffer->timestamp.tv_sec = self->due_us / 1000000;
        buffer->timestamp.tv_usec = self->due_us % 1000000;
        self->states[n] = DONE;
        self->filled[self->filled_count++] = (int)n;
        break;
    }
    self->sequence++;
    self->next_picture = (self->next_picture + 1) % (int)camera()->count;
}

static int take(struct reader *self, struct v4l2_buffer *buffer) {
    int64_t every_us = 1000000 / camera()->rate;
    if (!self->streaming) return fail(EINVAL);
    if (is_told("stalled")) self->due_us = now_us() + every_us;
    for (; self->due_us <= now_us(); self->due_us += every_us) show(self);
    if (self->filled_count == 0) return fail(EAGAIN);
    int first = self->filled[0];
    memmove(self->filled, self->filled + 1, sizeof self->filled[0] * (size_t)--self->filled_count);
    *buffer = self->buffers[first];
    self->states[first] = FREE;
    return 0;
}

static int stream(struct reader *self, int on) {
    self->streaming = on;
    self->due_us = now_us() + 1000000 / camera()->rate;
    self->filled_count = 0;
    return 0;
}

static int list_formats(struct v4l2_fmtdesc *form) {
    if (form->index > 0 || form->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
    form->pixelformat = camera()->pixel_format;
    form->flags = form->pixelformat == V4L2_PIX_FMT_MJPEG ? V4L2_FMT_FLAG_COMPRESSED : 0;
    return 0;
}

static int list_sizes(struct v4l2_frmsizeenum *size) {
    if (size->index > 0 || size->pixel_format != camera()->pixel_format) return fail(EINVAL);
    size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
    size->discrete = (struct v4l2_frmsize_discrete){camera()->width, camera()->height};
    return 0;
}

static int list_intervals(struct v4l2_frmivalenum *interval) {
    if (interval->index > 0) return fail(EINVAL);
    interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
    interval->discrete = (struct v4l2_fract){1, camera()->rate};
    return 0;
}

static int list_inputs(struct v4l2_input *input) {
    if (input->index > 0) return fail(EINVAL);
    input->type = V4L2_INPUT_TYPE_CAMERA;
    return 0;
}

static int answer(struct reader *self, unsigned long asked, void *given) {
    if (self->gone || is_told("unplugged")) {
        self->gone = 1;
        return fail(ENODEV);
    }
    switch (asked) {
    case VIDIOC_QUERYCAP: return describe(given);
    case VIDIOC_ENUMINPUT: return list_inputs(given);
    case VIDIOC_G_INPUT: *(int *)given = 0; return 0;
    case VIDIOC_S_INPUT: return *(int *)given == 0 ? 0 : fail(EINVAL);
    case VIDIOC_ENUM_FMT: return list_formats(given);
    case VIDIOC_ENUM_FRAMESIZES: return list_sizes(given);
    case VIDIOC_ENUM_FRAMEINTERVALS: return list_intervals(given);
    case VIDIOC_G_FMT: describe_picture(&((struct v4l2_format *)given)->fmt.pix); return 0;
    case VIDIOC_S_FMT: return set_format(self, given);
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: return rate(given);
    case VIDIOC_REQBUFS: return request(self, given);
    case VIDIOC_QUERYBUF: return look_up(self, given);
    case VIDIOC_QBUF: return queue(self, given);
    case VIDIOC_DQBUF: return take(self, given);
    case VIDIOC_STREAMON: return stream(self, 1);
    case VIDIOC_STREAMOFF: return stream(self, 0);
    default: return fail(ENOTTY);
    }
}

int ioctl(int fd, unsigned long asked, ...) {
    va_list rest;
    va_start(rest, asked);
    void *given = va_arg(rest, void *);
    va_end(rest);
    prepare();
    asked &= 0xffffffff; /* callers that hold a request in an int have extended its sign */
    struct reader *self = _IOC_TYPE(asked) == 'V' ? reader_of(fd) : NULL;
    if (self == NULL) return real_ioctl(fd, asked, given);
    for (;;) {
        pthread_mutex_lock(&lock);
        int result = answer(self, asked, given);
        int waits = result < 0 && errno == EAGAIN && asked == VIDIOC_DQBUF && !self->nonblocking;
        int error = errno;
        pthread_mutex_unlock(&lock);
        errno = error;
        if (!waits) return result;
        usleep(1000);
    }
}
