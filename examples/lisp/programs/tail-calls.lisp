; The last thing that a procedure does takes no room, whatever form it is in.

(define (in-and n) (and #t (if (= n 0) 'and (in-and (- n 1)))))
(print (in-and 200000))
(define (is-even? n) (or (= n 0) (is-odd? (- n 1))))
(define (is-odd? n) (and (not (= n 0)) (is-even? (- n 1))))
(print (is-even? 200000) (is-odd? 200000))
(define (in-cond n) (cond ((= n 0) 'cond) ((= n -1)) ((= n -2) n) (else (in-cond (- n 1)))))
(print (in-cond 200000))
(define (behind-tests n) (cond ((= n 0)) (#t (behind-tests (- n 1)))))
(print (behind-tests 200000))
(define (in-handler n) (guard (e (if (= e 0) 'handler (in-handler (- e 1)))) (raise n)))
(print (in-handler 200000))
(define (in-case n) (case n ((0) 'case) (else (in-case (- n 1)))))
(print (in-case 50000))
(define (in-when n) (when (> n 0) (apply (lambda (n) (unless (= n 0) (eval (list in-when n)))) (list (- n 1)))))
(print (in-when 50000))

; What is not the last form has its value, and only that.
(define (values-of x) (list (and x 1) (or x 2) (and) (or) (cond (x) (else 3)) (cond (x 4)) (guard (e e) (raise x))))
(print (values-of #f) (values-of 5))
(print (cond (#f 1)) (cond (5)) (cond ((= 1 2)) ((+ 1 2)) (else 4)))
(define (last-cond x) (cond ((= x 1) 'one) ((member x '(2 3))) ((= x 4) 'four)))
(print (map last-cond '(1 2 3 4 5)))
