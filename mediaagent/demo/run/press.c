/* Presses a basket of fruit: a line a fruit, with its weight in grams. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fruit {
    char name[24];
    int grams;
    struct fruit *next;
};

static struct fruit *fill(const char *path)
{
    FILE *list = fopen(path, "r");
    struct fruit *basket = NULL, **last = &basket;
    char name[24];
    int grams;

    while (list && fscanf(list, "%23s %d", name, &grams) == 2) {
        *last = calloc(1, sizeof **last);
        strcpy((*last)->name, name);
        (*last)->grams = grams;
        last = &(*last)->next;
    }
    if (list)
        fclose(list);
    return basket;
}

static int heaviest(const struct fruit *basket)
{
    int most = basket->grams;

    for (const struct fruit *one = basket->next; one; one = one->next)
        if (one->grams > most)
            most = one->grams;
    return most;
}

static int press(const struct fruit *basket)
{
    int limit = 2 * heaviest(basket), juice = 0;

    for (const struct fruit *one = basket; one && juice < limit; one = one->next)
        juice += one->grams * 6 / 10;
    return juice;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    printf("%d ml\n", press(fill(argv[1])));
    return 0;
}
